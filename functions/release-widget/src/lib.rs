//! The widget on a CloudWatch dashboard: what was released, how it ended, who decided, and why. It reads the ledger and
//! changes nothing: whoever looks at a dashboard may look, and the function's role allows no more.

use std::time::Duration;

use belay::{
    aws::AwsError,
    events::{self, WidgetCall},
    gather,
    release::ReleaseId,
    start::{Failure, Guards, Invocation},
    widget::{self, Frame, View},
};
use serde_json::Value;
use tracing::{error, info, warn};

/// How long the ledger may take. Whoever looks at a dashboard waits.
const WITHIN: Duration = Duration::from_secs(10);

/// Answers a dashboard: with a string of Markdown for `describe`, else of HTML.
///
/// A ledger that cannot be read is said in the widget, in words: the dashboard would show an error page, and nobody would
/// know whether that is about the services.
///
/// # Errors
/// When the payload is no call of a widget's.
pub async fn handle(guards: &Guards, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    let call = events::widget(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    let html = match call {
        WidgetCall::Describe => widget::DOCUMENTATION.to_owned(),
        WidgetCall::Draw(view) => said(&view, Box::pin(drawn(guards, &view, invocation))).await,
        WidgetCall::Why(release, view) => {
            said(&view, Box::pin(why(guards, &release, &view, invocation))).await
        }
    };
    info!(characters = html.len(), "answered");
    Ok(Value::String(html))
}

/// What was drawn in time, or why it was not.
async fn said(view: &View, drawn: impl Future<Output = Result<String, AwsError>>) -> String {
    match tokio::time::timeout(WITHIN, drawn).await {
        Ok(Ok(html)) => html,
        Ok(Err(error)) => {
            warn!(%error, "the ledger could not be read");
            widget::unreadable(&error.to_string(), view)
        }
        Err(_) => {
            warn!("the ledger took too long");
            widget::unreadable(&format!("It did not answer within {} seconds.", WITHIN.as_secs()), view)
        }
    }
}

async fn drawn(guards: &Guards, view: &View, invocation: Invocation<'_>) -> Result<String, AwsError> {
    // One ledger for the services of all accounts.
    let ledger = &guards.own().adapters.ledger;
    let timeline = gather::timeline::timeline(ledger, guards.policy(), view, invocation.now).await?;
    Ok(widget::page(&timeline, &frame(view, invocation)))
}

async fn why(
    guards: &Guards,
    release: &ReleaseId,
    view: &View,
    invocation: Invocation<'_>,
) -> Result<String, AwsError> {
    let records = guards.own().adapters.ledger.release(release, invocation.now).await?;
    Ok(widget::why(release, &records, &frame(view, invocation)))
}

fn frame<'a>(view: &'a View, invocation: Invocation<'a>) -> Frame<'a> {
    Frame { view, endpoint: invocation.function, now: invocation.now }
}
