//! Where in the policy something stands.

use std::fmt;

/// A way of names and positions from the top. It borrows its steps, and becomes a text only when something is wrong
/// there: a policy of ten thousand services has some hundred thousand places, and nothing is wrong at most of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'a> {
    before: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Top,
    Name(&'a str),
    Position(usize),
}

impl<'a> Path<'a> {
    /// The whole policy.
    pub(super) const TOP: Self = Self { before: None, step: Step::Top };

    /// The field of this name there.
    pub(super) fn to<'b>(&'b self, name: &'b str) -> Path<'b> {
        Path { before: Some(self), step: Step::Name(name) }
    }

    /// The item at this position there, from 0.
    pub(super) fn at<'b>(&'b self, position: usize) -> Path<'b> {
        Path { before: Some(self), step: Step::Position(position) }
    }

    fn append(&self, text: &mut String) {
        if let Some(before) = self.before {
            before.append(text);
        }
        match self.step {
            Step::Top => {}
            Step::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Position(position) => {
                text.push('[');
                text.push_str(&position.to_string());
                text.push(']');
            }
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.append(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_from_the_top() {
        assert_eq!(Path::TOP.to_string(), "");
        let (services, hooks) = ("services", "hooks");
        let (services, top) = (Path::TOP.to(services), Path::TOP);
        assert_eq!(top.to("version").to_string(), "version");
        let checkout = services.to("checkout");
        let hooks = checkout.to(hooks);
        assert_eq!(hooks.at(0).to("http").to_string(), "services.checkout.hooks[0].http");
        // A name that is empty is no step of its own at the top, and one further down.
        assert_eq!(top.to("").to("a").to_string(), "a");
        assert_eq!(services.to("").to_string(), "services.");
    }
}
