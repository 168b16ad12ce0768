//! Lambda functions: closures that the simulator invokes at virtual times.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::deliveries::Delivery;

/// One invocation of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The event, as bytes.
    pub payload: Vec<u8>,
    /// The virtual time, by a clock that may be off in a storm.
    pub now: Timestamp,
    /// The request id. Lambda gives a repeated delivery the same one.
    pub id: String,
    /// Where every AWS service answers *this* invocation: nowhere any more once it is killed. Calls that are
    /// to be struck by a storm go here.
    pub endpoint: String,
    /// How long the function may run.
    pub deadline: Duration,
}

/// A future that can be stored.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

type Function = Arc<dyn Fn(Invocation) -> BoxFuture<Result<String, String>> + Send + Sync>;

/// The registered functions.
#[derive(Default)]
pub(crate) struct Functions {
    by_name: BTreeMap<String, (Function, Duration)>,
}

/// Lambda's default would be three seconds; functions that talk to AWS are given more.
const DEADLINE: Duration = Duration::from_secs(60);

impl Functions {
    pub(crate) fn register(&mut self, name: &str, function: Function) {
        self.by_name.insert(name.to_owned(), (function, DEADLINE));
    }

    pub(crate) fn set_deadline(&mut self, name: &str, deadline: Duration) {
        self.by_name.get_mut(name).unwrap_or_else(|| panic!("no function {name:?} is registered")).1 =
            deadline;
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Begins an invocation.
    pub(crate) fn begin(
        &self,
        delivery: &Delivery,
        endpoint: String,
        now: Timestamp,
    ) -> BoxFuture<Result<String, String>> {
        let (function, deadline) = &self.by_name[&delivery.function];
        let (payload, id) = (delivery.payload.clone(), delivery.id.clone());
        function(Invocation { payload, now, id, endpoint, deadline: *deadline })
    }
}
