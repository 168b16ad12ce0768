//! The page around a conversation. It loads nothing and runs nothing, and says so to the browser.

use super::mrkdwn::escape;

/// A page that looks like Slack: the channel's name, and what is said in it.
pub(super) fn slack(title: &str, channel: &str, inside: &str) -> String {
    let channel = escape(channel);
    let bar = format!("<div class=\"bar\"><b># {channel}</b></div>\n");
    page(title, "slack", include_str!("slack.css"), &format!("{bar}{inside}"))
}

/// A page that looks like Teams.
pub(super) fn teams(title: &str, inside: &str) -> String {
    page(title, "teams", include_str!("teams.css"), inside)
}

/// A page that looks like a CloudWatch dashboard with one widget. What the widget would do on a click is not shown, as
/// CloudWatch does not show it.
pub(super) fn dashboard(name: &str, theme: &str, title: &str, inside: &str) -> String {
    let frame = format!("<div class=\"widget\"><h2>{}</h2>\n{inside}\n</div>", escape(title));
    page(name, &format!("dashboard {theme}"), include_str!("dashboard.css"), &frame)
}

/// The rule about what may be loaded stands on a line of its own: whoever measures the page takes it out.
fn page(title: &str, product: &str, style: &str, inside: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n</head>\n\
         <body class=\"{product}\">\n{inside}\n</body>\n</html>\n"
    )
}
