//! The Lambda function `chat-actions`.
#![allow(clippy::disallowed_methods, reason = "the environment and the clock are read here, and only here")]

use belay::start::{Guard, Invocation, how_to_run};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde_json::value::RawValue;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!("{}", how_to_run("chat-actions"));
        std::process::exit(2);
    }
    tracing::init_default_subscriber();
    let guard = Guard::start(|name| std::env::var(name).ok()).await.unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(1)
    });
    let handler = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let id = &event.context.request_id;
        let invocation = Invocation { id, now: Timestamp::now(), begun: Instant::now() };
        // Where it hands work to itself: the version that runs, not the newest.
        let own = &event.context.invoked_function_arn;
        chat_actions::handle(&guard, event.payload.get().as_bytes(), own, invocation).await
    });
    lambda_runtime::run(handler).await
}
