//! A composite alarm's rule: `ALARM(a) AND (OK("b") OR NOT INSUFFICIENT_DATA(c))`.
//!
//! AT_LEAST is not modelled and refused.

use super::alarm::AlarmState;

/// A parsed rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    Is(AlarmState, String),
    Constant(bool),
    Not(Box<Rule>),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
}

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = Words { rest: text.trim() };
        let rule = words.or()?;
        if words.rest.is_empty() {
            Ok(rule)
        } else {
            Err(format!("nothing may follow the rule: {:?}", words.rest))
        }
    }

    pub(crate) fn holds(&self, state_of: &dyn Fn(&str) -> Option<AlarmState>) -> bool {
        match self {
            Self::Is(state, alarm) => state_of(alarm) == Some(*state),
            Self::Constant(value) => *value,
            Self::Not(rule) => !rule.holds(state_of),
            Self::And(left, right) => left.holds(state_of) && right.holds(state_of),
            Self::Or(left, right) => left.holds(state_of) || right.holds(state_of),
        }
    }

    /// The alarms it names, in order.
    pub(crate) fn children(&self) -> Vec<&str> {
        match self {
            Self::Is(_, alarm) => vec![alarm],
            Self::Constant(_) => Vec::new(),
            Self::Not(rule) => rule.children(),
            Self::And(left, right) | Self::Or(left, right) => {
                let mut children = left.children();
                children.extend(right.children());
                children
            }
        }
    }
}

struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn take(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn or(&mut self) -> Result<Rule, String> {
        let mut rule = self.and()?;
        while self.take("OR") {
            rule = Rule::Or(Box::new(rule), Box::new(self.and()?));
        }
        Ok(rule)
    }

    fn and(&mut self) -> Result<Rule, String> {
        let mut rule = self.one()?;
        while self.take("AND") {
            rule = Rule::And(Box::new(rule), Box::new(self.one()?));
        }
        Ok(rule)
    }

    fn one(&mut self) -> Result<Rule, String> {
        if self.take("NOT") {
            return Ok(Rule::Not(Box::new(self.one()?)));
        }
        if self.take("(") {
            let rule = self.or()?;
            return self.close(rule);
        }
        if self.take("TRUE") {
            return Ok(Rule::Constant(true));
        }
        if self.take("FALSE") {
            return Ok(Rule::Constant(false));
        }
        for state in [AlarmState::InsufficientData, AlarmState::Alarm, AlarmState::Ok] {
            if self.take(state.name()) {
                if !self.take("(") {
                    return Err(format!("{} wants an alarm in parentheses", state.name()));
                }
                let end = self.rest.find(')').ok_or("a parenthesis is left open")?;
                // A name, quoted or not, or an ARN, of which the name is the last part.
                let name = self.rest[..end].trim().trim_matches('"');
                let name = name.rsplit(":alarm:").next().unwrap_or(name).to_owned();
                self.rest = &self.rest[end..];
                return self.close(Rule::Is(state, name));
            }
        }
        Err(format!("not understood: {:?}", self.rest))
    }

    fn close(&mut self, rule: Rule) -> Result<Rule, String> {
        if self.take(")") { Ok(rule) } else { Err(format!("a parenthesis is left open at {:?}", self.rest)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_binds_closer_than_or() {
        let rule = Rule::parse("ALARM(a) OR ALARM(\"b\") AND NOT OK(c)").unwrap();
        assert_eq!(rule.children(), ["a", "b", "c"]);
        let only_a = |name: &str| Some(if name == "a" { AlarmState::Alarm } else { AlarmState::Ok });
        let only_b = |name: &str| Some(if name == "b" { AlarmState::Alarm } else { AlarmState::Ok });
        assert!(rule.holds(&only_a));
        assert!(!rule.holds(&only_b));
    }

    #[test]
    fn what_is_not_modelled_is_refused() {
        assert!(Rule::parse("AT_LEAST(2, ALARM, (a, b, c))").is_err());
        assert!(Rule::parse("ALARM(a").is_err());
    }
}
