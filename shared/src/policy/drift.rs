//! `drift`: the stacks whose drift is detected once a day.

use super::{
    AlarmPattern,
    reading::{Fields, Reading},
};
use crate::yaml::Value;

/// Which stacks are looked at, in Belay's own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftRule {
    /// Their names, or patterns with `*`. Never empty.
    stacks: Vec<AlarmPattern>,
}

impl DriftRule {
    /// Whether a stack of this name is looked at.
    pub fn names(&self, stack: &str) -> bool {
        self.stacks.iter().any(|pattern| pattern.fits(stack))
    }

    /// The names and patterns, as they are written.
    pub fn patterns(&self) -> impl Iterator<Item = &AlarmPattern> {
        self.stacks.iter()
    }
}

/// CloudFormation's limit of a stack's name (CreateStack: "must start with an alphabetical character and can't be longer
/// than 128 characters").
const LONGEST: usize = 128;

pub(super) fn drift(reading: &mut Reading, fields: &Fields<'_>) -> Option<DriftRule> {
    let node = fields.get("drift")?;
    let path = fields.path("drift");
    let drift = reading.fields(node, &path, &["stacks"]);
    let node = reading.required(&drift, "stacks", "[ \"prod-*\" ]")?;
    let path = drift.path("stacks");
    let expected = "a list of stacks' names or patterns, such as `[ \"prod-*\" ]`";
    let items = reading.list(node, &path, || expected.to_owned());
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        reading.wrong(node.line, &path, "names no stack: nothing would be looked at");
    }
    let mut stacks: Vec<(usize, AlarmPattern)> = Vec::new();
    for item in items {
        let expected = "a stack's name, or a pattern such as `prod-*`";
        let Some(text) = reading.text(item, &path, expected, LONGEST) else { continue };
        let of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '*';
        if !text.chars().all(of_name) || text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            let said = format!(
                "found `{text}`, expected {expected}: a stack's name begins with a letter and has letters, digits and `-`"
            );
            reading.wrong(item.line, &path, said);
            continue;
        }
        let pattern = AlarmPattern::of(&text);
        if let Some((line, first)) = stacks.iter().find(|(_, first)| first.covers(&pattern)) {
            let said = format!("`{text}` is covered by `{first}` on line {line} already");
            reading.wrong(item.line, &path, said);
            continue;
        }
        stacks.push((item.line, pattern));
    }
    let stacks: Vec<AlarmPattern> = stacks.into_iter().map(|(_, pattern)| pattern).collect();
    (!stacks.is_empty()).then_some(DriftRule { stacks })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use crate::policy::Policy;

    const SMALL: &str = "version: 1
services:
  checkout:
    deployed_by: [ { codedeploy: { application: checkout, deployment_group: prod } } ]
    alarms: { checkout-5xx: roll_back }
";

    fn with(drift: &str) -> String {
        format!("{SMALL}drift: {drift}\n")
    }

    #[test]
    fn stacks_are_named_by_themselves_and_by_patterns() {
        let policy = Policy::parse(&with("{ stacks: [ \"prod-*\", network ] }")).unwrap();
        let drift = policy.drift().unwrap();
        for (stack, named) in [
            ("prod-orders", true),
            ("prod-", true),
            ("network", true),
            ("network-2", false),
            ("test-prod-orders", false),
        ] {
            assert_eq!(drift.names(stack), named, "{stack}");
        }
        assert!(policy.of_account(None).drift().is_some());
        // Own account only.
        assert!(policy.of_account(Some("222222222222")).drift().is_none());
        assert!(Policy::parse(SMALL).unwrap().drift().is_none());
    }

    #[test]
    fn every_mistake_about_drift_has_its_words() {
        for (drift, expected) in [
            ("{ stack: [ a ] }", "line 6: drift.stack: there is no such field; did you mean `stacks`?"),
            ("{}", "line 6: drift.stacks: is missing; for example `stacks: [ \"prod-*\" ]`"),
            ("{ stacks: [] }", "line 6: drift.stacks: names no stack: nothing would be looked at"),
            (
                "{ stacks: prod }",
                "line 6: drift.stacks: found `prod`, expected a list of stacks' names or patterns, such as `[ \"prod-*\" ]`",
            ),
            (
                "{ stacks: [ prod_orders ] }",
                "line 6: drift.stacks: found `prod_orders`, expected a stack's name, or a pattern such as `prod-*`: a stack's name begins with a letter and has letters, digits and `-`",
            ),
            (
                "{ stacks: [ \"prod-*\", prod-orders ] }",
                "line 6: drift.stacks: `prod-orders` is covered by `prod-*` on line 6 already",
            ),
        ] {
            match Policy::parse(&with(drift)) {
                Ok(_) => panic!("accepted: {drift}"),
                Err(mistakes) => {
                    assert!(
                        mistakes.to_string().lines().any(|line| line == expected),
                        "{drift}:\n{mistakes}"
                    );
                }
            }
        }
    }
}
