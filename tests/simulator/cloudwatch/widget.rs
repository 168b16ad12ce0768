//! GetMetricWidgetImage: an image of metrics, or of one alarm with its metric and threshold.
//!
//! The model names no error for this operation; those here are CloudWatch's own for other operations.

use serde_json::{Value, json};

use super::operations::invalid_value;
use super::{Kind, arn};
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::simulator::Simulator;
use crate::wire::texts;
use crate::world::World;

/// The widest and the highest image, in pixels (API reference, "Metric widget structure").
const PIXELS: u64 = 2000;
/// The most metrics of one image (same page).
const METRICS: usize = 500;
/// A PNG of one transparent pixel, in base64.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII=";

impl Simulator {
    /// The widgets that were drawn, oldest first, as they were asked for.
    pub fn widgets(&self) -> Vec<Value> {
        self.world().cloud_watch.widgets.clone()
    }
}

impl World {
    pub(super) fn get_metric_widget_image(&mut self, input: &Value) -> Answer {
        // "image/png" is for plain HTTP requests; SDKs use "png" (API reference).
        if input["OutputFormat"].as_str().is_some_and(|format| format != "png") {
            only_modelled(input, &["OutputFormat"])?;
        }
        let text = input["MetricWidget"]
            .as_str()
            .ok_or_else(|| Refusal::new("MissingParameter", "MetricWidget is required."))?;
        let widget: Value = serde_json::from_str(text)
            .map_err(|error| invalid_value(&format!("MetricWidget is not JSON: {error}")))?;
        self.check_widget(&widget).map_err(|why| invalid_value(&why))?;
        self.cloud_watch.widgets.push(widget);
        Ok(json!({ "MetricWidgetImage": PIXEL }))
    }

    fn check_widget(&self, widget: &Value) -> Result<(), String> {
        for side in ["width", "height"] {
            let pixels = &widget[side];
            if !pixels.is_null() && !pixels.as_u64().is_some_and(|pixels| (1..=PIXELS).contains(&pixels)) {
                return Err(format!("{side} is a whole number between 1 and {PIXELS}, not {pixels}."));
            }
        }
        let alarms = &widget["annotations"]["alarms"];
        match (&widget["metrics"], alarms) {
            (Value::Null, Value::Null) => Err("There are neither metrics nor annotations.alarms.".to_owned()),
            (Value::Null, alarms) => self.check_alarms(alarms),
            (metrics, Value::Null) => check_metrics(metrics),
            (_, _) => Err("metrics and annotations.alarms cannot be used together.".to_owned()),
        }
    }

    /// Exactly one alarm, by its ARN, with a metric to draw.
    fn check_alarms(&self, alarms: &Value) -> Result<(), String> {
        let named = texts(alarms);
        let [alarm] = named.as_slice() else {
            return Err(format!("annotations.alarms has exactly one ARN, not {alarms}."));
        };
        let found = self.cloud_watch.alarms.iter().find(|(name, _)| arn(name) == *alarm);
        match found.map(|(_, watch)| &watch.kind) {
            None => Err(format!("There is no alarm with the ARN {alarm}.")),
            Some(Kind::Composite(..)) => Err(format!("{alarm} is a composite alarm: it has no metric.")),
            Some(Kind::Metric(_)) => Ok(()),
        }
    }
}

/// 1 to 500 metrics, each a list such as `["AWS/Lambda", "Errors", "FunctionName", "orders"]`, or of one
/// expression.
fn check_metrics(metrics: &Value) -> Result<(), String> {
    let members = metrics.as_array().map(Vec::as_slice).unwrap_or_default();
    let well_formed = |metric: &Value| {
        metric.as_array().is_some_and(|parts| parts.len() >= 2 || parts.first().is_some_and(Value::is_object))
    };
    if (1..=METRICS).contains(&members.len()) && members.iter().all(well_formed) {
        Ok(())
    } else {
        Err(format!("metrics has 1 to {METRICS} members, each a list, not {metrics}."))
    }
}
