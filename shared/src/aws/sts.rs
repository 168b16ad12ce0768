//! AWS STS: credentials of a role in another account, assumed when they are first needed and kept until they expire.

use aws_config::{SdkConfig, identity::IdentityCache, sts::AssumeRoleProvider};
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};
use aws_smithy_types::error::ErrorMetadata;
use tokio::sync::OnceCell;

use super::{caused_by, deepest};

/// What the assumed role's session is called in the other account's CloudTrail (STS's API model, `roleSessionNameType`:
/// 2 to 64 characters).
const SESSION: &str = "belay";

/// The configuration with which clients work in the account of `role`, an IAM role's ARN, that demands `external_id`.
///
/// Calls nothing: the role is assumed when the first of these clients signs its first call, with the credentials, region,
/// HTTP client, retries and timeouts of `config`. All clients of this configuration share what STS gave for as long as
/// it lasts (an hour, STS's default): the SDK's identity cache holds it by the provider, and asks again shortly before.
pub fn assumed(config: &SdkConfig, role: &str, external_id: &str) -> SdkConfig {
    let role = Role {
        arn: role.to_owned(),
        external_id: external_id.to_owned(),
        from: config.clone(),
        provider: OnceCell::new(),
    };
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

/// A role, and the SDK's provider for it once it is needed.
struct Role {
    arn: String,
    external_id: String,
    from: SdkConfig,
    provider: OnceCell<AssumeRoleProvider>,
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Role").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl Role {
    async fn provider(&self) -> &AssumeRoleProvider {
        let make = async || {
            let builder = AssumeRoleProvider::builder(&self.arn)
                .configure(&self.from)
                .session_name(SESSION)
                .external_id(&self.external_id);
            builder.build().await
        };
        self.provider.get_or_init(make).await
    }

    fn refused(&self, error: &CredentialsError) -> CredentialsError {
        let why = match caused_by::<ErrorMetadata>(error) {
            Some(said) => format!(
                "AWS says {}: {}",
                said.code().unwrap_or("nothing that has a name"),
                said.message().unwrap_or("no more")
            ),
            None => deepest(error),
        };
        CredentialsError::provider_error(NotAssumed { role: self.arn.clone(), why })
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let given = self.provider().await.provide_credentials().await;
            given.map_err(|error| self.refused(&error))
        })
    }
}
