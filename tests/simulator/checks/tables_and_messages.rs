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
async fn calls_are_billed_as_the_developer_guide_says() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_ledger_table("ledger");
    let client = aws_sdk_dynamodb::Client::new(&config(&simulator).await);
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let put = |sort: &str, bytes: usize, once: bool| {
        let put = client.put_item().table_name("ledger").item("pk", text("p")).item("sk", text(sort));
        let put = put.item("body", text(&"x".repeat(bytes)));
        put.set_condition_expression(once.then(|| "attribute_not_exists(pk)".to_owned())).send()
    };
    let billed = || simulator.journal().last().map(|call| (call.units.read, call.units.write)).unwrap();
    // Names and values: `pk` and `p`, `sk` and `a`, `body` and what is in it: eleven bytes less than a KB fill one.
    put("a", 1_024 - 10, true).await.unwrap();
    assert_eq!(billed(), (0.0, 1.0));
    put("b", 1_024 - 9, true).await.unwrap();
    assert_eq!(billed(), (0.0, 2.0));
    // A condition that fails costs by what is there, not by what was to be written.
    put("b", 10_000, true).await.unwrap_err();
    assert_eq!(billed(), (0.0, 2.0));
    // The larger of before and after.
    put("b", 1, false).await.unwrap();
    assert_eq!(billed(), (0.0, 2.0));
    let read = |consistent: bool| {
        let query = client.query().table_name("ledger").consistent_read(consistent);
        query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text("p")).send()
    };
    let answer = read(true).await.unwrap();
    assert_eq!((answer.count(), answer.consumed_capacity(), billed()), (2, None, (1.0, 0.0)));
    read(false).await.unwrap();
    assert_eq!(billed(), (0.5, 0.0));
    // Added up, then rounded up: 1,024 bytes and some with 7,200 are nine thousand bytes, of 4,096 three.
    put("c", 7_200, false).await.unwrap();
    read(true).await.unwrap();
    assert_eq!(billed(), (3.0, 0.0));
    let delete =
        |sort: &str| client.delete_item().table_name("ledger").key("pk", text("p")).key("sk", text(sort));
    delete("c").send().await.unwrap();
    assert_eq!(billed(), (0.0, 8.0));
    delete("c").send().await.unwrap();
    assert_eq!(billed(), (0.0, 1.0));
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
