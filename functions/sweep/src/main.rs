//! The Lambda function `sweep`.
#![allow(clippy::disallowed_methods, reason = "the environment and the clock are read here, and only here")]

use belay::start::{Guards, Invocation, how_to_run, log_to_stdout};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!("{}", how_to_run("sweep"));
        std::process::exit(2);
    }
    log_to_stdout(std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().as_deref());
    let guards = Guards::start(|name| std::env::var(name).ok()).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(1)
    });
    let guards = guards.logging(|line| println!("{line}"));
    let handler = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let (id, function) = (&event.context.request_id, &event.context.invoked_function_arn);
        let invocation = Invocation { id, function, now: Timestamp::now(), begun: Instant::now() };
        sweep::handle(&guards, event.payload.get().as_bytes(), invocation).await
    });
    lambda_runtime::run(handler).await
}
