//! The Lambda function `alarm-transitions`.
#![allow(clippy::disallowed_methods, reason = "the environment and the clock are read here, and only here")]

use belay::start::Program;
use jiff::Timestamp;
use lambda_runtime::Error;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let program = Program { variable, now: Timestamp::now, begun: Instant::now };
    program.begin("alarm-transitions");
    let guards = program.guards().logging(|line| println!("{line}"));
    guards.ready();
    program.run(&guards, alarm_transitions::handle).await
}
