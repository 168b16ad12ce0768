//! AWS STS: credentials of a role in another account, assumed when they are first needed and kept until they expire.

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_sts::operation::assume_role::AssumeRoleInput;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_types::SdkConfig;

use super::{
    AwsError,
    client::{Call as _, Client, service},
};

service! {
    Api = aws_sdk_sts, "STS", "sts";
    assume_role: AssumeRole AssumeRoleInputBuilder AssumeRoleOutput AssumeRoleError;
}

/// What the assumed role's session is called in the other account's CloudTrail (STS's API model, `roleSessionNameType`:
/// 2 to 64 characters).
const SESSION: &str = "belay";

/// The configuration with which clients work in the account of `role`, an IAM role's ARN, that demands `external_id`.
///
/// Calls nothing: the role is assumed when the first of these clients signs its first call, with the credentials, region,
/// HTTP client, retries and timeouts of `config`. All clients of this configuration share what STS gave for as long as
/// it lasts (an hour, STS's default): the SDK's identity cache holds it by the provider, and asks again shortly before.
pub fn assumed(config: &SdkConfig, role: &str, external_id: &str) -> SdkConfig {
    let role = Role { arn: role.to_owned(), external_id: external_id.to_owned(), client: Client::of(config) };
    config
        .clone()
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(role))
        .identity_cache(IdentityCache::lazy().build())
        .build()
}

/// A role could not be assumed. Nothing was asked of its account then.
#[derive(Debug, thiserror::Error)]
#[error(
    "the role {role} could not be assumed: {why}. See to `account_role` in the policy, to the role and whom it trusts, to this function's right to assume it, and to BELAY_EXTERNAL_ID"
)]
pub struct NotAssumed {
    role: String,
    why: String,
}

/// A role, and the client that assumes it once it is needed.
struct Role {
    arn: String,
    external_id: String,
    client: Client<Api>,
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Role").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl Role {
    async fn assume(&self) -> Result<Credentials, CredentialsError> {
        let refused = |why| CredentialsError::provider_error(NotAssumed { role: self.arn.clone(), why });
        let request = AssumeRoleInput::builder()
            .role_arn(&self.arn)
            .role_session_name(SESSION)
            .external_id(&self.external_id);
        let answer = request.sent_by(&self.client).await;
        let answer =
            answer.map_err(|error| refused(AwsError::from_sdk("sts:AssumeRole", &self.arn, &error).why))?;
        let Some(given) = answer.credentials else {
            return Err(refused("STS gave no credentials".to_owned()));
        };
        let ends = given
            .expiration
            .try_into()
            .map_err(|_| refused("STS gave credentials whose end cannot be read".to_owned()))?;
        let (key, secret, token) = (given.access_key_id, given.secret_access_key, given.session_token);
        Ok(Credentials::new(key, secret, Some(token), Some(ends), "AssumeRole"))
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
