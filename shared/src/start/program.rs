//! What the main.rs of every function does alike. The clock and the environment are read there, and handed in.

use jiff::Timestamp;
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;

use super::{Failure, Guards, Invocation, how_to_run, log::log_to_stdout};

/// What a function's main.rs reads for all the rest.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// A variable of the environment, if it is there.
    pub variable: fn(&str) -> Option<String>,
    /// The time.
    pub now: fn() -> Timestamp,
    /// The time, by a clock that only goes forward.
    pub begun: fn() -> Instant,
}

impl Program {
    /// Ends the process with how the function is run where Lambda does not run it; else begins to log.
    pub fn begin(self, function: &str) {
        if (self.variable)("AWS_LAMBDA_RUNTIME_API").is_none() {
            eprintln!("{}", how_to_run(function));
            std::process::exit(2);
        }
        let level = (self.variable)("AWS_LAMBDA_LOG_LEVEL").or_else(|| (self.variable)("RUST_LOG"));
        log_to_stdout(level.as_deref());
    }

    /// Gets ready to work ([`Guards::start`]), or ends the process with all that is wrong.
    pub fn guards(self) -> Guards {
        Guards::start(self.variable).unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(1)
        })
    }

    /// An invocation that begins now, as Lambda's context tells of it.
    pub fn invocation(self, context: &Context) -> Invocation<'_> {
        Invocation {
            id: &context.request_id,
            function: &context.invoked_function_arn,
            now: (self.now)(),
            begun: (self.begun)(),
        }
    }

    /// Handles one invocation after the other, until Lambda ends the process.
    ///
    /// # Errors
    /// When Lambda's own API cannot be talked to.
    pub async fn run(
        self,
        guards: &Guards,
        handle: impl AsyncFn(&Guards, &[u8], Invocation<'_>) -> Result<Value, Failure>,
    ) -> Result<(), Error> {
        let answer = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
            let (payload, invocation) = (event.payload.get().as_bytes(), self.invocation(&event.context));
            // Boxed: what it holds of futures in futures is too deep for the compiler, together with the runtime's own.
            guards.http().begins(invocation.now);
            let handled = Box::pin(handle(guards, payload, invocation)).await;
            guards.http().ends((self.now)());
            handled
        });
        guards.http().ends((self.now)());
        lambda_runtime::run(answer).await
    }
}
