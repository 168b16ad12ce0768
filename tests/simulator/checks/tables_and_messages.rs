//! DynamoDB and SNS.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sns::types::MessageAttributeValue;

use super::clients::config;
use super::thursday;
use crate::Simulator;

#[tokio::test]
async fn a_conditional_put_succeeds_once() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_ledger_table("ledger");
    let client = aws_sdk_dynamodb::Client::new(&config(&simulator).await);
    let claim = || {
        client
            .put_item()
            .table_name("ledger")
            .item("pk", AttributeValue::S("undo/d-1".to_owned()))
            .item("sk", AttributeValue::S("claim".to_owned()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
    };
    claim().await.unwrap();
    let error = claim().await.unwrap_err().into_service_error();
    assert!(error.is_conditional_check_failed_exception());
    let got = client
        .get_item()
        .table_name("ledger")
        .key("pk", AttributeValue::S("undo/d-1".to_owned()))
        .key("sk", AttributeValue::S("claim".to_owned()))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    assert!(got.item().is_some());
    let calls = simulator.calls("PutItem");
    assert_eq!(calls[1].outcome, Err("ConditionalCheckFailedException".to_owned()));
    assert_eq!(simulator.effects("PutItem").len(), 1);
}

#[tokio::test]
async fn a_message_is_published_or_refused() {
    let simulator = Simulator::start(thursday()).await;
    let topic = simulator.create_topic("releases");
    let client = aws_sdk_sns::Client::new(&config(&simulator).await);
    let severity = MessageAttributeValue::builder().data_type("String").string_value("page").build().unwrap();
    let published = client
        .publish()
        .topic_arn(&topic)
        .subject("Rolled back: orders")
        .message("{\"a\": \"<b> & c\"}")
        .message_attributes("severity", severity)
        .send()
        .await
        .unwrap();
    assert!(published.message_id().is_some());
    let messages = simulator.messages();
    assert_eq!(messages[0].message, "{\"a\": \"<b> & c\"}");
    assert_eq!(messages[0].attributes["severity"], "page");
    let long = "x".repeat(100);
    for subject in [long.as_str(), "two\nlines"] {
        let refused = client.publish().topic_arn(&topic).subject(subject).message("m").send().await;
        let error = refused.unwrap_err().into_service_error();
        assert!(error.is_invalid_parameter_exception(), "{subject:?}");
    }
    let unknown = client.publish().topic_arn(format!("{topic}-unknown")).message("m").send().await;
    assert!(unknown.unwrap_err().into_service_error().is_not_found_exception());
    assert_eq!(simulator.messages().len(), 1);
}
