//! Images of metrics and alarms.

use aws_sdk_cloudwatch::error::ProvideErrorMetadata;
use serde_json::{Value, json};

use super::clients::cloud_watch;
use super::thursday;
use crate::{Alarm, CompositeAlarm, Service, Simulator};

#[tokio::test]
async fn a_widget_is_drawn_of_metrics_or_of_one_alarm() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    simulator.create_composite(CompositeAlarm::new("orders", "ALARM(\"orders-5xx\")"));
    let client = cloud_watch(&simulator).await;
    let arn = |name: &str| format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}");
    let draw = |widget: &Value| client.get_metric_widget_image().metric_widget(widget.to_string());
    let alarm = json!({
        "title": "orders-5xx", "width": 600, "height": 2000, "start": "-PT1H",
        "annotations": { "alarms": [arn("orders-5xx")] },
    });
    let drawn = draw(&alarm).output_format("png").send().await.unwrap();
    let image = drawn.metric_widget_image().unwrap().as_ref();
    assert!(image.starts_with(b"\x89PNG\r\n\x1a\n") && image.ends_with(b"IEND\xaeB`\x82"), "{image:?}");
    let metrics = json!({ "metrics": [["AWS/Lambda", "Errors"], [{ "expression": "m1*2" }]] });
    draw(&metrics).send().await.unwrap();
    assert_eq!(simulator.widgets(), [alarm, metrics]);
    for bad in [
        json!({}),
        json!({ "annotations": { "alarms": [] } }),
        json!({ "annotations": { "alarms": [arn("orders-5xx"), arn("orders-5xx")] } }),
        json!({ "annotations": { "alarms": [arn("nobody")] } }),
        json!({ "annotations": { "alarms": ["orders-5xx"] } }),
        json!({ "annotations": { "alarms": [arn("orders")] } }),
        json!({ "annotations": { "alarms": [arn("orders-5xx")] }, "metrics": [["A", "B"]] }),
        json!({ "annotations": { "alarms": [arn("orders-5xx")] }, "width": 2001 }),
        json!({ "metrics": [] }),
        json!({ "metrics": ["AWS/Lambda"] }),
    ] {
        let refused = draw(&bad).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidParameterValue"), "{bad}");
    }
    let garbled = client.get_metric_widget_image().metric_widget("{").send().await.unwrap_err();
    assert_eq!(garbled.code(), Some("InvalidParameterValue"));
    assert_eq!(simulator.widgets().len(), 2);
    let calls = simulator.calls("GetMetricWidgetImage");
    assert!(calls.iter().all(|call| call.service == Service::CloudWatch && !call.changed));
    simulator.assert_all_modelled();
}
