//! Secrets Manager.

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;

use super::clients::config;
use super::{minutes, thursday};
use crate::{Fault, Service, Simulator};

#[tokio::test]
async fn a_secret_is_read_rotated_and_never_written_down() {
    let simulator = Simulator::start(thursday()).await;
    let client = aws_sdk_secretsmanager::Client::new(&config(&simulator).await);
    let get = |id: &str| client.get_secret_value().secret_id(id);
    let missing = get("belay/slack").send().await.unwrap_err();
    assert!(missing.into_service_error().is_resource_not_found_exception());
    let arn = simulator.create_secret("belay/slack", r#"{"token":"xoxb-old"}"#);
    let first = get("belay/slack").send().await.unwrap();
    assert_eq!(first.secret_string(), Some(r#"{"token":"xoxb-old"}"#));
    assert_eq!((first.arn(), first.name()), (Some(arn.as_str()), Some("belay/slack")));
    assert_eq!(first.version_stages(), ["AWSCURRENT"]);
    assert_eq!(first.created_date().unwrap().secs(), thursday().as_second());
    simulator.advance(minutes(1)).await;
    simulator.rotate_secret("belay/slack", r#"{"token":"xoxb-new"}"#);
    let second = get(&arn).send().await.unwrap();
    assert_eq!(second.secret_string(), Some(r#"{"token":"xoxb-new"}"#));
    assert_ne!(second.version_id(), first.version_id());
    assert_eq!(second.created_date().unwrap().secs(), thursday().as_second() + 60);
    let previous = get(&arn).version_stage("AWSPREVIOUS").send().await.unwrap();
    assert_eq!(previous.version_id(), first.version_id());
    simulator.fault("GetSecretValue", Fault::InternalError, 1);
    assert_eq!(get(&arn).send().await.unwrap_err().code(), Some("InternalServiceError"));
    let calls = simulator.calls("GetSecretValue");
    assert_eq!(calls.len(), 5);
    assert!(calls.iter().all(|call| call.service == Service::SecretsManager && !call.changed));
    let all = format!("{:?} {:?}", simulator.journal(), simulator.timeline());
    assert!(all.contains("belay/slack") && !all.contains("xoxb"), "{all}");
    assert!(client.list_secrets().send().await.is_err());
    assert_eq!(simulator.acknowledge_unmodelled(), ["SecretsManager ListSecrets"]);
}
