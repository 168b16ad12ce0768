//! The Lambda function `lifecycle-hooks`.
#![allow(clippy::disallowed_methods, reason = "the environment and the clock are read here, and only here")]

use belay::start::{Guard, Invocation, how_to_run};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use lifecycle_hooks::{handle, pace, refuse};
use serde_json::value::RawValue;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!("{}", how_to_run("lifecycle-hooks"));
        std::process::exit(2);
    }
    tracing::init_default_subscriber();
    let region = std::env::var("AWS_REGION").unwrap_or_default();
    let started =
        Guard::start(|name| std::env::var(name).ok()).await.inspect_err(|error| eprintln!("{error}"));
    let handler = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let payload = event.payload.get().as_bytes();
        let invocation =
            Invocation { id: &event.context.request_id, now: Timestamp::now(), begun: Instant::now() };
        match &started {
            Ok(guard) => {
                handle(guard, payload, invocation, pace(event.context.deadline, invocation.now)).await
            }
            Err(error) => Err(refuse(&region, payload, error).await),
        }
    });
    lambda_runtime::run(handler).await
}
