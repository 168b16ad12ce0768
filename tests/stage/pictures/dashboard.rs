//! The widget on a CloudWatch dashboard: as the scenarios hold it, in a frame that looks like CloudWatch's.

use super::{Picture, page};

/// What stands behind a snapshot's head of two lines with three dashes.
macro_rules! snapshot {
    ($name:literal) => {
        include_str!(concat!("../../scenarios/snapshots/", $name, ".snap"))
            .splitn(3, "---")
            .nth(2)
            .unwrap_or("no snapshot")
    };
}

/// The widget in both themes, and what a click shows.
pub(super) fn pictures() -> Vec<Picture> {
    let shown = [
        ("light", "light", "Releases", snapshot!("widget_light")),
        ("dark", "dark", "Releases", snapshot!("widget_dark")),
        ("why", "dark popup", "Releases", snapshot!("widget_why")),
    ];
    let picture = |(name, theme, title, html)| Picture {
        folder: "widget",
        name,
        html: page::dashboard(name, theme, title, html),
    };
    shown.map(picture).into()
}
