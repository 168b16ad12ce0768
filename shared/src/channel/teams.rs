//! Microsoft Teams: cards, through a workflow that takes them by a webhook (MicrosoftDocs/msteams-docs, "Create incoming
//! webhooks"). Its URL has the signature in it and is the secret: it is in no error.

use std::fmt;

use serde_json::Value;

use crate::{
    aws::{
        AwsError,
        secrets::{Secret, Secrets},
    },
    channel::{
        about_the_secret,
        http::{Answer, Http, Post},
        line::{Call, Failure, Heard, Line, NOT_MADE},
        quiet,
    },
};

/// The code of an error when the secret has no URL.
const NO_URL: &str = "no_url";
/// The code of an error when the URL in the secret is not a workflow's.
const STRANGE_URL: &str = "strange_url";

const CALL: Call<'static> = Call { operation: "teams:Post", subject: "the Teams workflow" };

/// Teams. Clones share its pauses, as Slack's do.
#[derive(Clone)]
pub struct Teams {
    line: Line,
    /// Teams is a simulator on this machine.
    local: bool,
    secrets: Secrets,
}

impl fmt::Debug for Teams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teams")
    }
}

impl Teams {
    pub(super) fn new(http: Http, local: bool, secrets: Secrets) -> Self {
        Self { line: Line::new(http, "Teams"), local, secrets }
    }

    /// Posts a message with a card. There is no id, so it cannot be changed later; and the workflow runs afterwards, so
    /// what was taken may still not be shown.
    ///
    /// # Errors
    /// When it was not taken, or nobody knows whether it was: `refused` tells the two apart. It is not sent again when
    /// its answer was lost.
    pub async fn post(&self, body: &Value) -> Result<(), AwsError> {
        self.line.open(CALL)?;
        let held = self.secrets.chat().await.map_err(|error| AwsError { refused: true, ..error })?;
        let url = usable(held.teams_webhook_url, self.local).map_err(|failure| failure.at(CALL))?;
        let body = body.to_string();
        let post = || Post {
            url: url.reveal(),
            content_type: "application/json",
            authorization: None,
            body: body.clone().into_bytes(),
        };
        self.line.send(CALL, post, read).await
    }
}

/// The URL that the secret has, if it is one of a workflow.
fn usable(url: Option<Secret>, local: bool) -> Result<Secret, Failure> {
    match url {
        None => Err(Failure::before(NO_URL, "the secret has no teams_webhook_url")),
        Some(url) if local || is_workflow(url.reveal()) => Ok(url),
        Some(_) => Err(Failure::before(
            STRANGE_URL,
            "the secret's teams_webhook_url is not the https URL of a workflow (*.logic.azure.com or *.environment.api.powerplatform.com)",
        )),
    }
}

/// Whether a URL is a workflow's. Those of logic.azure.com come with the port.
fn is_workflow(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let host = url.host().unwrap_or_default().to_ascii_lowercase();
    let plain = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    url.scheme_str() == Some("https")
        && plain
        && url.port_u16().is_none_or(|port| port == 443)
        && [".logic.azure.com", ".environment.api.powerplatform.com"].iter().any(|end| host.ends_with(end))
}

/// What came of a post whose status is good. The old connectors answered with the status 200 and a text such as
/// "… returned HTTP error 429 …" when there were too many posts (msteams-docs, "Create incoming webhooks").
fn read(answer: &Answer) -> Heard<()> {
    let told = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    if answer.status == 200 && told.contains("http error") {
        Heard::Throttled(quiet::pause(answer.retry_after.as_deref()))
    } else {
        Heard::Taken(())
    }
}

/// Whether an error will not pass by itself, so that trying again is in vain until somebody does something.
pub fn is_for_good(error: &AwsError) -> bool {
    what_to_do(error).is_some()
}

/// What somebody can do about an error, as a sentence; `None` if there is nothing to be done but to wait, or nothing
/// that we know.
pub fn what_to_do(error: &AwsError) -> Option<&'static str> {
    Some(match error.code.as_deref()? {
        "http_400" => {
            "Look at the workflow's trigger in Power Automate: it must be \"When a Teams webhook request is received\", and switched on."
        }
        "http_401" | "http_403" => {
            "Copy the URL of the workflow's trigger again, with all of its query, into the secret as teams_webhook_url."
        }
        "http_404" | "http_410" => {
            "The workflow is gone or switched off: put the URL of another one into the secret as teams_webhook_url."
        }
        "http_413" => "The card is too large for Teams: it takes about 28 KB.",
        NO_URL | STRANGE_URL | NOT_MADE => {
            "Put the URL of a Teams workflow into the secret as teams_webhook_url."
        }
        code => return about_the_secret(code),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::secrets::UNREADABLE;

    fn heard(status: u16, body: &str) -> Heard<()> {
        read(&Answer { status, retry_after: Some("4".to_owned()), body: body.as_bytes().to_vec() })
    }

    #[test]
    fn cards_go_to_workflows_only() {
        for good in [
            "https://prod-12.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?api-version=1&sp=%2F&sig=a_-b",
            "https://DEFAULT1.4f.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/1?sig=x",
        ] {
            assert!(is_workflow(good), "{good}");
        }
        for bad in [
            "http://prod-12.westeurope.logic.azure.com/workflows?sig=made-up",
            "https://logic.azure.com.example.com/?sig=made-up",
            "https://evil-logic.azure.com/?sig=made-up",
            "https://a.logic.azure.com@example.com/?sig=made-up",
            "https://me@a.logic.azure.com/?sig=made-up",
            "https://a.logic.azure.com:8443/?sig=made-up",
            "https://contoso.webhook.office.com/made-up",
            "made-up",
        ] {
            let failure = usable(Some(Secret::new(bad)), false).expect_err(bad);
            assert!(failure.refused && !failure.why.contains("made-up"), "{}", failure.why);
            assert!(is_for_good(&failure.at(CALL)));
            assert!(usable(Some(Secret::new(bad)), true).is_ok(), "on this machine anything goes");
        }
        assert_eq!(usable(None, true).expect_err("no URL").code.as_deref(), Some(NO_URL));
    }

    #[test]
    fn a_good_status_may_be_a_bad_answer() {
        assert_eq!(heard(202, ""), Heard::Taken(()));
        assert_eq!(heard(200, "1"), Heard::Taken(()));
        let told = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x";
        assert_eq!(heard(200, told), Heard::Throttled(Duration::from_secs(4)));
    }

    #[test]
    fn some_errors_do_not_pass_by_themselves() {
        let error = |code: &str| Failure::before(code, "it says so").at(CALL);
        for code in ["http_400", "http_401", "http_404", NO_URL, UNREADABLE] {
            assert!(is_for_good(&error(code)), "{code}");
        }
        for code in ["http_408", "http_500", "http_503", "ratelimited", "quiet"] {
            assert!(!is_for_good(&error(code)), "{code}");
        }
    }
}
