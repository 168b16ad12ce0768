//! SDK clients that talk to the simulator: no TLS, no retries.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::Credentials;

use crate::Simulator;

pub(super) async fn config(simulator: &Simulator) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(simulator.endpoint())
        .load()
        .await
}

pub(super) async fn code_deploy(simulator: &Simulator) -> aws_sdk_codedeploy::Client {
    aws_sdk_codedeploy::Client::new(&config(simulator).await)
}

pub(super) async fn cloud_watch(simulator: &Simulator) -> aws_sdk_cloudwatch::Client {
    aws_sdk_cloudwatch::Client::new(&config(simulator).await)
}

pub(super) async fn code_pipeline(simulator: &Simulator) -> aws_sdk_codepipeline::Client {
    aws_sdk_codepipeline::Client::new(&config(simulator).await)
}
