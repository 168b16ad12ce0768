//! A picture of what an alarm watches.

use crate::aws::client::Call as _;
use aws_sdk_cloudwatch::operation::get_metric_widget_image::GetMetricWidgetImageInput;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::CloudWatch;
use crate::{aws::AwsError, release::AlarmArn};

impl CloudWatch {
    /// A picture (PNG, 800 by 300 pixels) of what an alarm watches, with its threshold, and with a line at
    /// `release_began`. There is none of a composite alarm. CloudWatch takes 20 such calls a second
    /// (API reference, GetMetricWidgetImage).
    ///
    /// # Errors
    /// When CloudWatch does not draw it.
    pub async fn graph(
        &self,
        alarm: &AlarmArn,
        from: Timestamp,
        to: Timestamp,
        release_began: Option<Timestamp>,
    ) -> Result<Vec<u8>, AwsError> {
        const OPERATION: &str = "cloudwatch:GetMetricWidgetImage";
        let output = GetMetricWidgetImageInput::builder()
            .metric_widget(widget(alarm, from, to, release_began).to_string())
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, alarm, &error))?;
        output
            .metric_widget_image
            .map(aws_smithy_types::Blob::into_inner)
            .filter(|png| !png.is_empty())
            .ok_or_else(|| AwsError::unreadable(OPERATION, alarm, "the answer has no picture"))
    }
}

/// The widget that is drawn.
///
/// Sourced ("GetMetricWidgetImage: Metric Widget Structure and Syntax", CloudWatch User Guide): `start`, `end`, `width`,
/// `height` (both up to 2,000 pixels), `view` and `annotations.vertical` with `value` and `label`; times as
/// `2018-04-25T12:00:00.000Z`.
///
/// Not verified: `annotations.alarms`. It is documented for widgets of dashboards ("Dashboard Body Structure and
/// Syntax": one alarm's ARN, instead of `metrics`), while the page on pictures does not have it and calls `metrics`
/// required. If CloudWatch does not take it, the call fails and the message goes without a picture.
fn widget(alarm: &AlarmArn, from: Timestamp, to: Timestamp, release_began: Option<Timestamp>) -> Value {
    let mut annotations = json!({ "alarms": [alarm.as_str()] });
    if let Some(began) = release_began {
        annotations["vertical"] = json!([{ "value": written(began), "label": "the release began" }]);
    }
    json!({
        "annotations": annotations,
        "start": written(from),
        "end": written(to),
        "width": 800,
        "height": 300,
        "view": "timeSeries",
    })
}

fn written(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn the_picture_shows_the_alarm_and_when_the_release_began() {
        let alarm = AlarmArn::from("arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-5xx");
        let (from, to) = (time("2026-03-05T13:00:00Z"), time("2026-03-05T14:00:00.5Z"));
        let drawn = widget(&alarm, from, to, Some(time("2026-03-05T13:30:00Z")));
        let expected = json!({
            "annotations": {
                "alarms": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-5xx"],
                "vertical": [{ "value": "2026-03-05T13:30:00.000Z", "label": "the release began" }],
            },
            "start": "2026-03-05T13:00:00.000Z",
            "end": "2026-03-05T14:00:00.500Z",
            "width": 800,
            "height": 300,
            "view": "timeSeries",
        });
        assert_eq!(drawn, expected);
        let without = widget(&alarm, from, to, None);
        assert_eq!(without["annotations"]["vertical"], Value::Null);
    }
}
