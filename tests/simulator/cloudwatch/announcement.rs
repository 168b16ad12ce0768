//! The event "CloudWatch Alarm State Change", in the shape of the User Guide's samples.

use serde_json::{Value, json};

use super::{Kind, Stated, Watch, arn};
use crate::stamps::without_colon;
use crate::world::World;

impl World {
    /// Sent also when the alarm's actions are disabled, muted or suppressed.
    pub(crate) fn emit_alarm_event(&mut self, name: &str, before: &Stated, after: &Stated) {
        let watch = self.cloud_watch.watch(name);
        let mut detail = json!({
            "alarmName": name,
            "state": stated(after),
            "previousState": stated(before),
            "configuration": configuration(watch),
        });
        if let Some(mute) = &watch.mute
            && (mute.start..mute.end).contains(&after.at)
        {
            detail["muteDetail"] = json!({
                "mutedByArn": format!(
                    "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:{}",
                    mute.rule
                ),
                "muteWindowStart": without_colon(mute.start),
                "muteWindowEnd": without_colon(mute.end),
            });
        }
        self.emit("aws.cloudwatch", "CloudWatch Alarm State Change", vec![arn(name)], after.at, detail);
    }
}

fn stated(state: &Stated) -> Value {
    let mut shown = json!({
        "value": state.value.name(),
        "reason": state.reason,
        "timestamp": without_colon(state.at),
    });
    if let Some(data) = &state.reason_data {
        shown["reasonData"] = json!(data.to_string());
    }
    if let Some(suppression) = state.suppression {
        shown["actionsSuppressedBy"] = json!(suppression.name());
        shown["actionsSuppressedReason"] = json!(format!("Actions suppressed by {}", suppression.name()));
    }
    shown
}

fn configuration(watch: &Watch) -> Value {
    match &watch.kind {
        Kind::Metric(alarm) => {
            let series = alarm.series();
            let mut shown = json!({
                "metrics": [{
                    "id": watch.metric_id,
                    "metricStat": {
                        "metric": {
                            "namespace": series.namespace,
                            "name": series.name,
                            "dimensions": series.dimensions,
                        },
                        "period": 60,
                        "stat": series.statistic,
                    },
                    "returnData": true,
                }],
            });
            if let Some(text) = &alarm.description {
                shown["description"] = json!(text);
            }
            shown
        }
        Kind::Composite(alarm, _) => json!({ "alarmRule": alarm.rule }),
    }
}
