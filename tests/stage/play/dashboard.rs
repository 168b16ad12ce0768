//! Somebody looks at Belay's widget on a CloudWatch dashboard, and clicks.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Played;
use crate::{
    Simulator,
    stage::script::{Expect, LooksScript},
};

/// What was on the dashboard.
#[derive(Clone, Debug)]
pub struct Looked {
    /// When.
    pub at: Timestamp,
    /// Whether it was dark.
    pub dark: bool,
    /// The widget: HTML.
    pub widget: String,
    /// What a click has shown: HTML.
    pub popup: Option<String>,
}

/// Asks the function as a dashboard does (CloudWatch User Guide, "Details about custom widgets in CloudWatch").
pub(super) async fn look(simulator: &Simulator, looks: &LooksScript) -> Result<Looked, String> {
    let mut call = question(simulator.now(), looks)?;
    let widget = asked(simulator, &call).await?;
    let mut popup = None;
    if let Some(word) = &looks.clicks {
        let row = widget.split("<tr>").skip(1).find(|row| row.contains(word.as_str()));
        let action =
            row.and_then(|row| row.split("<cwdb-action").nth(1)).and_then(|rest| rest.split_once('>'));
        let params = action.and_then(|(_, rest)| rest.split("</cwdb-action>").next());
        let params = params.ok_or_else(|| format!("no row of the widget says “{word}”; it is:\n{widget}"))?;
        let params: Value = serde_json::from_str(params).map_err(|error| format!("{error} in {params}"))?;
        for (name, value) in params.as_object().into_iter().flatten() {
            call[name] = value.clone();
        }
        popup = Some(asked(simulator, &call).await?);
    }
    Ok(Looked { at: simulator.now(), dark: looks.dark, widget, popup })
}

/// What a dashboard asks of the function at that time.
pub(crate) fn question(now: Timestamp, looks: &LooksScript) -> Result<Value, String> {
    let back = SignedDuration::try_from(looks.back.0).map_err(|error| error.to_string())?;
    let begins = now.checked_sub(back).map_err(|error| error.to_string())?;
    Ok(json!({
        "widgetContext": {
            "dashboardName": "belay-us-east-1", "widgetId": "widget-16", "accountId": "123456789012", "locale": "en",
            "timezone": {
                "label": "Local", "offsetISO": looks.clock.as_deref().unwrap_or("+00:00"), "offsetInMinutes": 0,
            },
            "period": 300, "isAutoPeriod": true,
            "timeRange": {
                "mode": "relative", "start": begins.as_millisecond(), "end": now.as_millisecond(),
                "relativeStart": back.as_millis() as i64,
            },
            "theme": if looks.dark { "dark" } else { "light" }, "linkCharts": true, "title": "Releases",
            "forms": { "all": {} }, "params": looks.services.as_ref().map(|services| json!({ "services": services })),
            "width": 980, "height": 420,
        },
    }))
}

async fn asked(simulator: &Simulator, call: &Value) -> Result<String, String> {
    match simulator.request("release-widget", call.to_string().as_bytes()).await? {
        Value::String(html) => Ok(html),
        other => Err(format!("release-widget answered {other}, no HTML")),
    }
}

impl Played {
    /// What did not come true of what is expected on the dashboard.
    pub(super) fn on_the_dashboard(&self, expect: &Expect) -> Vec<String> {
        let mut wrong = Vec::new();
        for sentence in &expect.widget {
            if !self.looked.iter().any(|looked| looked.widget.contains(sentence)) {
                wrong.push(format!("nobody saw “{sentence}” on the dashboard"));
            }
        }
        for sentence in &expect.clicked {
            let mut popups = self.looked.iter().filter_map(|looked| looked.popup.as_ref());
            if !popups.any(|popup| popup.contains(sentence)) {
                wrong.push(format!("no click has shown “{sentence}”"));
            }
        }
        wrong
    }
}
