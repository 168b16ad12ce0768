//! The Lambda function `lifecycle-hooks`. It answers also where it cannot start: a hook that gets no answer waits an hour.
#![allow(clippy::disallowed_methods, reason = "the environment and the clock are read here, and only here")]

use belay::{
    aws,
    start::{Guards, Program},
};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use lifecycle_hooks::{handle, pace, refuse};
use serde_json::value::RawValue;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let program = Program { variable, now: Timestamp::now, begun: Instant::now };
    program.begin("lifecycle-hooks");
    let region = variable("AWS_REGION").unwrap_or_default();
    let started = Guards::start(variable).inspect_err(|error| eprintln!("{error}"));
    let handler = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let payload = event.payload.get().as_bytes();
        let begins = || program.invocation(&event.context);
        match &started {
            // A hook is answered in its own account: other accounts' services have none.
            Ok(guards) => {
                let now = begins().now;
                guards.http().begins(now);
                let handled = handle(guards.own(), payload, begins, pace(event.context.deadline, now)).await;
                guards.http().ends((program.now)());
                handled
            }
            Err(error) => {
                let connection = aws::connect(&region, aws::Http::default().client(), variable);
                Err(refuse(&connection, payload, error).await)
            }
        }
    });
    lambda_runtime::run(handler).await
}
