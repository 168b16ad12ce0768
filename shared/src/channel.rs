//! The chat products themselves: what `chat` draws is sent here, and nothing is decided.
//!
//! All of it fails softly and soon: a release is taken back whether or not somebody can be told.

mod http;
mod line;
mod quiet;
pub mod slack;
pub mod teams;

use aws_types::SdkConfig;

use self::{http::Http, slack::Slack, teams::Teams};
use crate::{
    aws::{
        AwsError,
        secrets::{Secret, Secrets, UNREADABLE},
    },
    settings::ChatSettings,
};

/// What somebody can do about a secret that cannot be read, as a sentence: the same whichever product needs it.
fn about_the_secret(code: &str) -> Option<&'static str> {
    Some(match code {
        UNREADABLE => {
            "Write the secret as a JSON object of texts: slack_bot_token, slack_signing_secret, teams_webhook_url."
        }
        "ResourceNotFoundException" => "Create the secret that BELAY_CHAT_SECRET names, or correct the name.",
        "AccessDeniedException" => {
            "Let the function's role read the secret that BELAY_CHAT_SECRET names: secretsmanager:GetSecretValue, and kms:Decrypt if it has a key of its own."
        }
        _ => return None,
    })
}

/// The chat products, and the secret that all of them share.
#[derive(Clone, Debug)]
pub struct Chat {
    /// Slack.
    pub slack: Slack,
    /// Teams.
    pub teams: Teams,
    secrets: Secrets,
}

impl Chat {
    /// Clients of one configuration. Nothing is called yet.
    pub fn new(config: &SdkConfig, settings: &ChatSettings) -> Self {
        let secrets = Secrets::new(config, &settings.secret);
        let (http, local) = (Http::default(), settings.is_local());
        Self {
            slack: Slack::new(http.clone(), &settings.slack_api, local, secrets.clone()),
            teams: Teams::new(http, local, secrets.clone()),
            secrets,
        }
    }

    /// Whether the secret has a token for Slack.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub async fn has_slack(&self) -> Result<bool, AwsError> {
        Ok(self.secrets.chat().await?.slack_bot_token.is_some())
    }

    /// Whether the secret has a URL for Teams.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub async fn has_teams(&self) -> Result<bool, AwsError> {
        Ok(self.secrets.chat().await?.teams_webhook_url.is_some())
    }

    /// What a request of Slack's may be signed with: the signing secret, and for ten minutes after a rotation was
    /// seen also the one before. None, if the secret has none: then no request is good. With `refresh` the secret is
    /// read again, once a minute at most: for a request that none of them fits.
    ///
    /// # Errors
    /// When the secret cannot be read, and never could.
    pub async fn signing_secrets(&self, refresh: bool) -> Result<Vec<Secret>, AwsError> {
        self.secrets.signing_secrets(refresh).await
    }
}
