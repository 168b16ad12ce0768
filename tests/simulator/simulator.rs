//! The handle that tests and rehearsals hold.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::asked::INVOCATION;
use crate::deliveries::Delivery;
use crate::front::{self, Shared, locked};
use crate::functions::{Functions, Invocation};
use crate::timeline::What;
use crate::world::World;

/// AWS's release control plane on 127.0.0.1, with a virtual clock. Clones are handles to the same
/// simulation; the last one ends it.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
}

struct Inner {
    world: Shared,
    functions: Mutex<Functions>,
    endpoint: String,
    server: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.server.abort();
        let world = locked(&self.world);
        let complaints = world.complaints();
        if !complaints.is_empty() && !std::thread::panicking() {
            drop(world);
            panic!("{}", complaints.join("\n"));
        }
    }
}

impl Simulator {
    /// Begins a simulation at this virtual time, with one HTTP server for every service.
    pub async fn start(at: Timestamp) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket has an address");
        let world = Arc::new(Mutex::new(World::at(at)));
        let server = tokio::spawn(front::serve(listener, Arc::clone(&world)));
        Self {
            inner: Arc::new(Inner {
                world,
                functions: Mutex::default(),
                endpoint: format!("http://{address}"),
                server,
            }),
        }
    }

    /// Where every AWS service answers: `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        self.inner.endpoint.clone()
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.world().now
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.inner.world)
    }

    fn functions(&self) -> MutexGuard<'_, Functions> {
        self.inner.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a function under the name that rules and hooks use: `alarm-transitions`,
    /// `pipeline-events`, `lifecycle-hooks`. A closure that holds a clone of this handle keeps the
    /// simulation alive: capture what it needs instead.
    pub fn register<F, Fut>(&self, name: &str, function: F)
    where
        F: Fn(Invocation) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, String>> + Send + 'static,
    {
        let boxed = move |invocation| -> crate::functions::BoxFuture<Result<String, String>> {
            Box::pin(function(invocation))
        };
        self.functions().register(name, Arc::new(boxed));
        self.world().registered.insert(name.to_owned());
    }

    /// Sets how long a registered function may run, 60 seconds else. The simulator only says so.
    pub fn set_deadline(&self, function: &str, deadline: Duration) {
        self.functions().set_deadline(function, deadline);
    }

    /// Lets virtual time pass: in steps of five seconds or less the state evolves, events go out, and
    /// what is due is delivered, one invocation after the other.
    pub async fn advance_to(&self, until: Timestamp) {
        self.deliver_due().await;
        while self.now() < until {
            self.tick_towards(until);
            self.deliver_due().await;
        }
    }

    /// Lets so much virtual time pass.
    pub async fn advance(&self, duration: Duration) {
        let until = self.now() + duration;
        self.advance_to(until).await;
    }

    /// Lets virtual time pass without invoking anything: deliveries wait for `take_deliveries`.
    pub fn step(&self, duration: Duration) {
        let until = self.now() + duration;
        while self.now() < until {
            self.tick_towards(until);
        }
    }

    fn tick_towards(&self, until: Timestamp) {
        let mut world = self.world();
        let to = world.next_tick(until);
        world.tick(to);
    }

    /// Invokes what is due now and whose function is registered, until nothing is.
    pub async fn deliver_due(&self) {
        loop {
            let delivery = {
                let functions = self.functions();
                let mut world = self.world();
                let now = world.now;
                world.deliveries.take_due(now, |function| functions.knows(function))
            };
            let Some(delivery) = delivery else { return };
            let now = self.now();
            if self.invoke(&delivery).await.is_err() {
                self.world().deliveries.failed(delivery, now);
            }
        }
    }

    /// Invokes a registered function and waits for what it returns, as a function URL does: nobody tries it again.
    /// An error is the function's, or that what it returned is no JSON.
    pub async fn request(&self, function: &str, event: &[u8]) -> Result<Value, String> {
        assert!(self.functions().knows(function), "no function {function:?} is registered");
        let delivery = {
            let mut world = self.world();
            let now = world.now;
            world.deliveries.request(function, event, now)
        };
        let answer = self.invoke(&delivery).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer).map_err(|error| format!("the answer is no JSON: {error}"))
    }

    /// One invocation, from its beginning to its end or death.
    async fn invoke(&self, delivery: &Delivery) -> Result<String, String> {
        let now = self.now();
        let (number, death, clock) = self.world().weather.begin(now);
        let endpoint = format!("{}{}{number}", self.inner.endpoint, INVOCATION);
        let running = self.functions().begin(delivery, endpoint, clock);
        // In a task of its own, so that a panic is what it is on Lambda: an error of this
        // invocation.
        let mut task = tokio::spawn(running);
        let ended = tokio::select! {
            biased;
            () = death.notified() => {
                task.abort();
                task.await
            }
            ended = &mut task => ended,
        };
        let mut world = self.world();
        world.weather.end();
        let result = match ended {
            _ if world.weather.is_dead(number) => Err("the invocation was killed".to_owned()),
            Ok(result) => result,
            Err(error) => Err(format!("the function panicked: {error}")),
        };
        world.happened(What::Invoked {
            number,
            id: delivery.id.clone(),
            attempt: delivery.attempt,
            function: delivery.function.clone(),
            payload: String::from_utf8_lossy(&delivery.payload).into_owned(),
            result: result.clone(),
        });
        result
    }
}
