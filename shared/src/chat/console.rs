//! Addresses in the AWS console.

use crate::{drift::StackId, message::Link};

/// The console of one region. The addresses are those the console itself shows; China and GovCloud have
/// consoles of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    region: String,
    account: Option<String>,
}

impl Console {
    /// The console of `region`, for example `eu-central-1`.
    pub fn of(region: &str) -> Self {
        Self { region: region.to_owned(), account: None }
    }

    /// The same region's console of another account than Belay's own. An address says nothing of the account: whoever
    /// follows it sees the account that they are signed in to. So the label says which one is meant.
    #[must_use]
    pub fn in_account(&self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self.clone() }
    }

    /// The same account's console of another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.clone() }
    }

    fn label(&self, what: String) -> String {
        match &self.account {
            None => what,
            Some(account) => format!("{what} (account {account})"),
        }
    }

    fn host(&self) -> String {
        let region = &self.region;
        if region.starts_with("cn-") {
            format!("{region}.console.amazonaws.cn")
        } else if region.starts_with("us-gov-") {
            "console.amazonaws-us-gov.com".to_owned()
        } else {
            format!("{region}.console.aws.amazon.com")
        }
    }

    /// One CodeDeploy deployment.
    pub fn deployment(&self, id: &str) -> Link {
        Link {
            label: self.label(format!("Deployment {id}")),
            url: format!(
                "https://{}/codesuite/codedeploy/deployments/{}?region={}",
                self.host(),
                percent(id),
                self.region
            ),
        }
    }

    /// One CodePipeline pipeline, or one of its executions.
    pub fn pipeline(&self, name: &str, execution: Option<&str>) -> Link {
        let page = match execution {
            Some(execution) => format!("executions/{}/timeline", percent(execution)),
            None => "view".to_owned(),
        };
        Link {
            label: self.label(format!("Pipeline {name}")),
            url: format!(
                "https://{}/codesuite/codepipeline/pipelines/{}/{page}?region={}",
                self.host(),
                percent(name),
                self.region
            ),
        }
    }

    /// What drift detection found out about one stack, by its ARN.
    pub fn stack_drift(&self, stack: &StackId) -> Link {
        Link {
            label: self.label(format!("Drift of {}", stack.name())),
            url: format!(
                "https://{}/cloudformation/home?region={}#/stacks/drifts?stackId={}",
                self.host(),
                self.region,
                percent(stack.as_str())
            ),
        }
    }

    /// One CloudWatch alarm.
    pub fn alarm(&self, name: &str) -> Link {
        Link {
            label: self.label(format!("Alarm {name}")),
            url: format!(
                "https://{}/cloudwatch/home?region={}#alarmsV2:alarm/{}",
                self.host(),
                self.region,
                percent(name)
            ),
        }
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters: a `|` or `>` in an address would break
/// the link in Slack.
fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_own_console() {
        for (region, start) in [
            ("eu-central-1", "https://eu-central-1.console.aws.amazon.com/"),
            ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
            ("us-gov-west-1", "https://console.amazonaws-us-gov.com/"),
        ] {
            assert!(Console::of(region).deployment("d-1").url.starts_with(start), "{region}");
        }
    }

    #[test]
    fn another_accounts_links_say_so() {
        let console = Console::of("eu-central-1").in_account("222222222222").in_region("eu-west-1");
        for (link, label) in [
            (console.deployment("d-1"), "Deployment d-1 (account 222222222222)"),
            (console.pipeline("orders", None), "Pipeline orders (account 222222222222)"),
            (console.alarm("5xx"), "Alarm 5xx (account 222222222222)"),
        ] {
            assert_eq!(link.label, label);
            assert!(link.url.starts_with("https://eu-west-1.console.aws.amazon.com/"), "{}", link.url);
        }
    }

    #[test]
    fn an_alarm_name_cannot_break_out_of_its_link() {
        let link = Console::of("eu-central-1").alarm("5xx | <!here> é");
        assert!(link.url.ends_with("alarm/5xx%20%7C%20%3C%21here%3E%20%C3%A9"), "{}", link.url);
    }
}
