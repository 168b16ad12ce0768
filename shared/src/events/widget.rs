//! The calls of a custom widget on a CloudWatch dashboard (CloudWatch User Guide, "Details about custom widgets in
//! CloudWatch", "Interactivity in the custom widget").

use jiff::{Timestamp, tz::Offset};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::EventError;
use super::foreign::{self, not_for_us};
use super::wire::{Part, Text, malformed, payload, read, shortened};
use crate::{
    release::{ReleaseId, ServiceName},
    widget::{Theme, View},
};

const EXPECTED: &str = "a call of a CloudWatch dashboard's custom widget";

/// The longest name of a release that is looked up. Ids of deployments and executions are far shorter.
const LONGEST: usize = 300;

/// How wide a widget is drawn whose width is not told: the narrowest that a dashboard has by default.
const WIDTH: u32 = 588;

/// What a dashboard wants of its widget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WidgetCall {
    /// Its documentation.
    Describe,
    /// The timeline.
    Draw(View),
    /// Somebody clicked a release: the reasons.
    Why(ReleaseId, View),
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Context {
    theme: Option<String>,
    time_range: Range,
    width: Option<Number>,
    timezone: Option<Zone>,
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object")]
struct Range {
    start: Moment,
    end: Moment,
    zoom: Option<Zoom>,
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object")]
struct Zoom {
    start: Moment,
    end: Moment,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Zone {
    /// The other field, `offsetInMinutes`, has a sign of which nothing says in which direction it counts.
    #[serde(rename = "offsetISO")]
    offset_iso: Ahead,
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object")]
struct Click {
    belay: Why,
    release: Text,
}

/// The one thing that a click asks for.
struct Why;

impl<'de> Deserialize<'de> for Why {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "why", |text| (text == "why").then_some(Self))
    }
}

/// Reads a call of the widget. A word for a theme that is not known is light, a width that is not told is a narrow one,
/// and a time zone that is not told is UTC: those change how it looks, and not what it says. Which time is shown must be
/// told.
///
/// # Errors
/// `NotForUs` for anything else, `Malformed` when the dashboard's context cannot be understood.
pub fn widget(bytes: &[u8]) -> Result<WidgetCall, EventError> {
    let value = payload(bytes)?;
    let whole = Part::whole(&value);
    // "describe: true"; anything but nothing and no is taken for it.
    if whole.value.get("describe").is_some_and(|describe| !describe.is_null() && *describe != false) {
        return Ok(WidgetCall::Describe);
    }
    let Some(part) = whole.field("widgetContext") else {
        return Err(not_for_us(foreign::payload(&whole), EXPECTED));
    };
    let view = view(&part)?;
    if !whole.has("belay") {
        return Ok(WidgetCall::Draw(view));
    }
    let Click { belay: Why, release: Text(release) } = whole.decode()?;
    if release.chars().nth(LONGEST).is_some() {
        let found = whole.value.get("release");
        return Err(malformed("release".to_owned(), found, format!("at most {LONGEST} characters")));
    }
    Ok(WidgetCall::Why(ReleaseId::from(release), view))
}

fn view(part: &Part<'_>) -> Result<View, EventError> {
    let Context { theme, time_range, width, timezone } = part.decode()?;
    // "Use zoom when present": what is selected on the dashboard, inside of its time.
    let (at, (Moment(from), Moment(to))) = match time_range.zoom {
        Some(Zoom { start, end }) => ("widgetContext.timeRange.zoom.end", (start, end)),
        None => ("widgetContext.timeRange.end", (time_range.start, time_range.end)),
    };
    if from >= to {
        return Err(EventError::Malformed {
            path: at.to_owned(),
            found: to.as_millisecond().to_string(),
            expected: format!("milliseconds after the start, {}", from.as_millisecond()),
        });
    }
    let mut view = View {
        from,
        to,
        theme: match theme.as_deref() {
            Some("dark") => Theme::Dark,
            Some(_) | None => Theme::Light,
        },
        width: width.map_or(WIDTH, |Number(width)| pixels(width)),
        offset: timezone.map_or(Offset::UTC, |zone| zone.offset_iso.0),
        services: Vec::new(),
        strange: Vec::new(),
    };
    let Some(params) = part.field("params").filter(|params| !params.value.is_null()) else { return Ok(view) };
    let Some(fields) = params.value.as_object() else {
        return Err(malformed(params.path, Some(params.value), "an object"));
    };
    view.strange = fields.keys().filter(|name| *name != "services").map(|name| shortened(name, 60)).collect();
    if let Some(services) = params.field("services").filter(|services| !services.value.is_null()) {
        let names: Vec<Text> = services.decode()?;
        view.services = names.into_iter().map(|Text(name)| ServiceName::from(name)).collect();
    }
    Ok(view)
}

/// A width that can be drawn: no page is wider than some thousand pixels.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
fn pixels(width: f64) -> u32 {
    width.clamp(0.0, 10_000.0) as u32
}

/// A number, whole or not: JavaScript knows no difference.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        #[allow(clippy::cast_precision_loss, reason = "milliseconds are below 2^53 for 285,000 years")]
        impl Visitor<'_> for Any {
            type Value = Number;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }
        }
        deserializer.deserialize_f64(Any)
    }
}

/// A moment in milliseconds since 1970.
struct Moment(Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Number(milliseconds) = Number::deserialize(deserializer)?;
        #[allow(clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
        Timestamp::from_millisecond(milliseconds as i64)
            .map(Self)
            .map_err(|_| Error::custom("milliseconds since 1970"))
    }
}

/// An offset from UTC, as `+02:00`.
struct Ahead(Offset);

impl<'de> Deserialize<'de> for Ahead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "an offset as +02:00", |text| {
            let [sign @ (b'+' | b'-'), hours @ .., b':', _, _] = text.as_bytes() else { return None };
            if hours.len() != 2 || !text.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b':') {
                return None;
            }
            let (hours, minutes): (i32, i32) = (text.get(1..3)?.parse().ok()?, text.get(4..6)?.parse().ok()?);
            let seconds = (hours * 60 + minutes) * 60;
            let ahead = if *sign == b'-' { -seconds } else { seconds };
            (minutes < 60).then(|| Offset::from_seconds(ahead).ok())?.map(Self)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::events::samples::{assert_malformed, change, json as sample};

    const RENDER: &str = "cloudwatch/custom-widget-render.json";

    fn read_changed(pointer: &str, to: Option<Value>) -> Result<WidgetCall, EventError> {
        let mut payload = sample(RENDER);
        change(&mut payload, pointer, to);
        widget(payload.to_string().as_bytes())
    }

    fn drawn(payload: Result<WidgetCall, EventError>) -> View {
        match payload {
            Ok(WidgetCall::Draw(view)) => view,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_three_calls_are_told_apart() {
        let call = |file| widget(sample(file).to_string().as_bytes());
        assert_eq!(call("cloudwatch/custom-widget-describe.json"), Ok(WidgetCall::Describe));
        let view = drawn(call(RENDER));
        assert_eq!(
            (view.from.as_millisecond(), view.to.as_millisecond()),
            (1_772_700_000_000, 1_772_703_600_000)
        );
        assert_eq!((view.theme, view.width, view.offset), (Theme::Light, 588, Offset::UTC));
        assert_eq!(view.services, ["checkout".into()]);
        let Ok(WidgetCall::Why(release, clicked)) = call("cloudwatch/custom-widget-action.json") else {
            panic!("no click");
        };
        assert_eq!(release, "d-44MN5CAQD".into());
        assert_eq!((clicked.theme, clicked.offset.seconds()), (Theme::Dark, 7_200));
        // A render is no description because somebody calls a parameter so.
        assert!(matches!(read_changed("/describe", Some(json!(false))), Ok(WidgetCall::Draw(_))));
    }

    #[test]
    fn the_time_is_what_is_zoomed_to_or_the_dashboards() {
        let view = drawn(read_changed("/widgetContext/timeRange/zoom", None));
        assert_eq!(
            (view.from.as_millisecond(), view.to.as_millisecond()),
            (1_772_633_141_000, 1_772_719_541_000)
        );
        let float =
            drawn(read_changed("/widgetContext/timeRange/zoom/start", Some(json!(1_772_700_000_000.5))));
        assert_eq!(float.from, view_from());
        let before = read_changed("/widgetContext/timeRange/zoom/end", Some(json!(1_772_700_000_000_i64)));
        let expected = "milliseconds after the start, 1772700000000";
        assert_malformed(before, "widgetContext.timeRange.zoom.end", "1772700000000", expected);
        let far = read_changed("/widgetContext/timeRange/zoom/end", Some(json!(1e300)));
        assert_malformed(far, "widgetContext.timeRange.zoom.end", "1e+300", "milliseconds since 1970");
        let gone = read_changed("/widgetContext/timeRange/start", None);
        assert_malformed(gone, "widgetContext.timeRange.start", "nothing", "a number");
    }

    fn view_from() -> Timestamp {
        Timestamp::from_millisecond(1_772_700_000_000).unwrap()
    }

    #[test]
    fn how_it_looks_may_be_left_out_and_may_not_be_nonsense() {
        for key in ["theme", "width", "timezone", "params"] {
            drawn(read_changed(&format!("/widgetContext/{key}"), None));
        }
        let wide = drawn(read_changed("/widgetContext/width", Some(json!(-1e9))));
        assert_eq!(wide.width, 0);
        assert_eq!(drawn(read_changed("/widgetContext/theme", Some(json!("sepia")))).theme, Theme::Light);
        let offset = |text: &str| read_changed("/widgetContext/timezone/offsetISO", Some(json!(text)));
        assert_eq!(drawn(offset("-03:30")).offset.seconds(), -12_600);
        for wrong in ["02:00", "+2:00", "+02:60", "+99:00", "+0a:00", "Z", ""] {
            let path = "widgetContext.timezone.offsetISO";
            assert_malformed(offset(wrong), path, &format!("{wrong:?}"), "an offset as +02:00");
        }
    }

    #[test]
    fn parameters_that_are_not_known_are_kept_to_be_said() {
        let params = json!({ "service": "checkout", "services": null });
        let view = drawn(read_changed("/widgetContext/params", Some(params)));
        assert_eq!((view.strange, view.services), (vec!["service".to_owned()], Vec::new()));
        let one = read_changed("/widgetContext/params/services", Some(json!("checkout")));
        assert_malformed(one, "widgetContext.params.services", "\"checkout\"", "a sequence");
        let two = read_changed("/widgetContext/params/services", Some(json!(["checkout", ""])));
        assert_malformed(two, "widgetContext.params.services[1]", "\"\"", "text that is not empty");
    }

    #[test]
    fn anything_else_is_refused_by_its_name() {
        let hook = widget(sample("codedeploy/codedeploy-hook.json").to_string().as_bytes());
        assert_eq!(hook, Err(not_for_us("a CodeDeploy lifecycle hook call".to_owned(), EXPECTED)));
        let other = read_changed("/belay", Some(json!("roll_back")));
        assert_malformed(other, "belay", "\"roll_back\"", "why");
        let nothing = read_changed("/belay", Some(json!("why")));
        assert_malformed(nothing, "release", "nothing", "text that is not empty");
    }
}
