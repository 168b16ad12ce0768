//! What goes wrong on request, and what is not modelled.

use std::time::Duration;

use aws_sdk_codedeploy::error::ProvideErrorMetadata;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::clients::{cloud_watch, code_deploy, config};
use super::{minutes, orders, release, thursday};
use crate::{DeploymentStatus, Fault, Health, Service, Simulator};

#[tokio::test]
async fn throttling_speaks_each_services_own_word() {
    let simulator = orders(|group| group).await;
    simulator.create_ledger_table("ledger");
    for operation in ["GetDeployment", "DescribeAlarms", "Publish", "DescribeTable"] {
        simulator.fault(operation, Fault::Throttle, 1);
    }
    let id = release(&simulator);
    let client = code_deploy(&simulator).await;
    let throttled = client.get_deployment().deployment_id(&id).send().await;
    assert_eq!(throttled.unwrap_err().code(), Some("ThrottlingException"));
    client.get_deployment().deployment_id(&id).send().await.unwrap();
    let alarms = cloud_watch(&simulator).await.describe_alarms().send().await;
    assert_eq!(alarms.unwrap_err().code(), Some("Throttling"));
    let config = config(&simulator).await;
    let publish = aws_sdk_sns::Client::new(&config).publish().topic_arn("t").message("m").send().await;
    assert_eq!(publish.unwrap_err().code(), Some("Throttling"));
    let table = aws_sdk_dynamodb::Client::new(&config).describe_table().table_name("ledger").send().await;
    assert_eq!(table.unwrap_err().code(), Some("ProvisionedThroughputExceededException"));
}

#[tokio::test]
async fn an_effect_may_happen_although_the_connection_was_cut() {
    let simulator = orders(|group| group).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(1)).await;
    simulator.fault("StopDeployment", Fault::CutConnection, 1);
    simulator.fault("StopDeployment", Fault::TimeoutAfterEffect, 1);
    let stop = || client.stop_deployment().deployment_id(&id).send();
    assert!(stop().await.is_err());
    assert_eq!(simulator.deployment(&id).status, DeploymentStatus::InProgress);
    assert!(stop().await.is_err());
    assert_eq!(simulator.deployment(&id).status, DeploymentStatus::Stopped);
    assert_eq!(simulator.effects("StopDeployment").len(), 1);
}

#[tokio::test]
async fn every_second_call_can_fail() {
    let simulator = orders(|group| group).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.fault_every(2, Fault::InternalError);
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let got = client.get_deployment().deployment_id(&id).send().await;
        outcomes.push(got.is_ok());
    }
    assert_eq!(outcomes, [true, false, true, false]);
}

#[tokio::test]
async fn what_is_not_modelled_fails_by_name() {
    let simulator = Simulator::start(thursday()).await;
    let client = code_deploy(&simulator).await;
    assert!(client.list_applications().send().await.is_err());
    let journal = simulator.journal();
    assert_eq!(journal[0].service, Service::CodeDeploy);
    let end = tokio::spawn(async move {
        simulator.assert_all_modelled();
    });
    let panic = end.await.unwrap_err().into_panic();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("ListApplications"), "{text}");
}

#[tokio::test]
async fn the_last_handle_fails_a_test_that_did_not_look() {
    let simulator = Simulator::start(thursday()).await;
    let client = cloud_watch(&simulator).await;
    assert!(client.list_dashboards().send().await.is_err());
    let end = tokio::spawn(async move { drop(simulator) });
    let panic = end.await.unwrap_err().into_panic();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("ListDashboards"), "{text}");
}

/// One HTTP exchange by hand; the answer's bytes.
async fn exchange(simulator: &Simulator, request: &[u8]) -> Vec<u8> {
    let address = simulator.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn code_deploy_speaks_cbor_too() {
    let simulator = orders(|group| group).await;
    let id = release(&simulator);
    let mut body = Vec::new();
    ciborium::into_writer(&serde_json::json!({ "deploymentId": id }), &mut body).unwrap();
    let mut request = format!(
        "POST /service/CodeDeploy_20141006/operation/GetDeployment HTTP/1.1\r\nhost: x\r\nsmithy-protocol: rpc-v2-cbor\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    let answer = exchange(&simulator, &request).await;
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&answer[..split]);
    assert!(head.contains("smithy-protocol: rpc-v2-cbor"), "{head}");
    let shown: ciborium::Value = ciborium::from_reader(&answer[split..]).unwrap();
    let text = format!("{shown:?}");
    assert!(text.contains(&id) && text.contains("Tag(1"), "{text}");
}

#[tokio::test]
async fn health_endpoints_answer_as_told() {
    let simulator = Simulator::start(thursday()).await;
    simulator.health_endpoint("checkout", Health::Sequence(vec![503, 200]));
    simulator.health_endpoint("slow", Health::Slow(Duration::from_millis(20)));
    simulator.health_endpoint("gone", Health::Refuse);
    let get = |name: &str| format!("GET /health/{name} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    for (name, expected) in [
        ("checkout", "HTTP/1.1 503"),
        ("checkout", "HTTP/1.1 200"),
        ("checkout", "HTTP/1.1 200"),
        ("slow", "HTTP/1.1 200"),
        ("gone", ""),
        ("nobody", "HTTP/1.1 404"),
    ] {
        let answer = exchange(&simulator, get(name).as_bytes()).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(expected), "{name}: {answer}");
        assert_eq!(answer.is_empty(), expected.is_empty(), "{name}");
    }
    assert_eq!(simulator.health_requests("checkout"), 3);
    simulator.health_endpoint("stuck", Health::Hang);
    let request = get("stuck");
    let silence = exchange(&simulator, request.as_bytes());
    let waited = tokio::time::timeout(Duration::from_millis(50), silence).await;
    assert!(waited.is_err());
}

#[tokio::test]
async fn a_parameter_that_is_not_modelled_fails_by_name_too() {
    let simulator = Simulator::start(thursday()).await;
    let client = cloud_watch(&simulator).await;
    let asked = client.describe_alarms().action_prefix("arn:").send().await;
    assert!(asked.is_err());
    assert_eq!(simulator.acknowledge_unmodelled(), ["CloudWatch DescribeAlarms ActionPrefix"]);
}
