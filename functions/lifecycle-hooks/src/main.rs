//! The Lambda function `lifecycle-hooks`.
#![allow(clippy::disallowed_methods, reason = "the environment and the clock are read here, and only here")]

use belay::{
    aws,
    start::{Guards, Invocation, how_to_run, log_to_stdout},
};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use lifecycle_hooks::{handle, pace, refuse};
use serde_json::value::RawValue;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!("{}", how_to_run("lifecycle-hooks"));
        std::process::exit(2);
    }
    log_to_stdout(std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().as_deref());
    let region = std::env::var("AWS_REGION").unwrap_or_default();
    let started = Guards::start(|name| std::env::var(name).ok()).inspect_err(|error| eprintln!("{error}"));
    let handler = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let payload = event.payload.get().as_bytes();
        let (id, function) = (&event.context.request_id, &event.context.invoked_function_arn);
        let invocation = Invocation { id, function, now: Timestamp::now(), begun: Instant::now() };
        match &started {
            // A hook is answered in its own account: other accounts' services have none.
            Ok(guards) => {
                handle(guards.own(), payload, invocation, pace(event.context.deadline, invocation.now)).await
            }
            Err(error) => {
                let connection = aws::connect(&region, aws::http_client(), |name| std::env::var(name).ok());
                Err(refuse(&connection, payload, error).await)
            }
        }
    });
    lambda_runtime::run(handler).await
}
