//! What people type after `/belay`: words in, a [`Command`] out.

use thiserror::Error;

use super::text::{cut, line};

/// How many characters of a word that somebody typed are said back.
const SHOWN: usize = 60;

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// How a service's release is doing, or all of them.
    Status(Option<String>),
    /// Why the last decision about a service or a release was taken.
    Why(String),
    /// Take a release back.
    RollBack {
        /// Of this service.
        service: String,
        /// This release; the current one if none is named.
        release: Option<String>,
    },
    /// Stop a release where it is.
    Halt {
        /// Of this service.
        service: String,
        /// This release; the current one if none is named.
        release: Option<String>,
    },
    /// What happened to a service lately.
    History(String),
    /// What there is to ask for.
    Help,
}

/// Why words are not a command. Its text is for whoever typed them; it repeats some, so escape it before showing it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The first word is none that we know.
    #[error("There is no command `{word}`.{}", meant(*.nearest))]
    Unknown {
        /// The word, in at most 60 characters.
        word: String,
        /// The one that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// The command needs one more word.
    #[error("`{verb}` needs {what}. Write `{usage}`.", usage = .verb.usage())]
    Missing {
        /// The command.
        verb: Verb,
        /// What it needs, for example "a service".
        what: &'static str,
    },
    /// There are more words than the command takes.
    #[error("`{verb}` does not take `{word}`. Write `{usage}`.", usage = .verb.usage())]
    Extra {
        /// The command.
        verb: Verb,
        /// The first word too many, in at most 60 characters.
        word: String,
    },
}

fn meant(nearest: Option<&str>) -> String {
    match nearest {
        Some(word) => format!(" Did you mean `{word}`?"),
        None => " `/belay help` lists them.".to_owned(),
    }
}

/// A command's first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// How are releases doing?
    Status,
    /// Why?
    Why,
    /// Take back.
    RollBack,
    /// Stop.
    Halt,
    /// What happened?
    History,
    /// What can I say?
    Help,
}

impl Verb {
    const ALL: [Self; 6] = [Self::Status, Self::Why, Self::RollBack, Self::Halt, Self::History, Self::Help];

    /// How it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Why => "why",
            Self::RollBack => "rollback",
            Self::Halt => "halt",
            Self::History => "history",
            Self::Help => "help",
        }
    }

    /// The whole command, with what it takes; what is in brackets may be left out.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Status => "/belay status [service]",
            Self::Why => "/belay why <service or release>",
            Self::RollBack => "/belay rollback <service> [release]",
            Self::Halt => "/belay halt <service> [release]",
            Self::History => "/belay history <service>",
            Self::Help => "/belay help",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Status => "how a service's release is doing, or every service's",
            Self::Why => "why Belay decided as it did",
            Self::RollBack => "takes the current release back, or the one you name",
            Self::Halt => "stops it where it is, without going back",
            Self::History => "what happened to a service lately",
            Self::Help => "this list",
        }
    }

    /// By its word, whatever the case; `roll-back` and `roll_back` too.
    fn from_word(word: &str) -> Option<Self> {
        let plain = word.to_lowercase().replace(['-', '_'], "");
        Self::ALL.into_iter().find(|verb| verb.word() == plain)
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Reads what was typed after `/belay`. No words ask for help. Case does not matter in the command's own words, and
/// quotes or backticks around a word are dropped. Whether there is such a service is the caller's business.
///
/// # Errors
///
/// [`CommandError`], for whoever typed it.
pub fn command(text: &str) -> Result<Command, CommandError> {
    let mut words = text.split_whitespace().map(bare).filter(|word| !word.is_empty()).peekable();
    let Some(first) = words.next() else { return Ok(Command::Help) };
    let verb = match Verb::from_word(first) {
        Some(verb) => verb,
        // People write it as two words too.
        None if first.eq_ignore_ascii_case("roll")
            && words.next_if(|word| word.eq_ignore_ascii_case("back")).is_some() =>
        {
            Verb::RollBack
        }
        None => {
            let nearest = did_you_mean(first, Verb::ALL.into_iter().map(Verb::word));
            return Err(CommandError::Unknown { word: shown(first), nearest });
        }
    };
    let mut words = words.map(str::to_owned);
    let needed = |word: Option<String>, what| word.ok_or(CommandError::Missing { verb, what });
    let command = match verb {
        Verb::Status => Command::Status(words.next()),
        Verb::Why => Command::Why(needed(words.next(), "a service or a release")?),
        Verb::RollBack => {
            Command::RollBack { service: needed(words.next(), "a service")?, release: words.next() }
        }
        Verb::Halt => Command::Halt { service: needed(words.next(), "a service")?, release: words.next() },
        Verb::History => Command::History(needed(words.next(), "a service")?),
        Verb::Help => Command::Help,
    };
    match words.next() {
        Some(word) => Err(CommandError::Extra { verb, word: shown(&word) }),
        None => Ok(command),
    }
}

/// A word without the quotes around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c| matches!(c, '`' | '"' | '\'' | '“' | '”' | '‘' | '’' | '„'))
}

/// A word as an error says it back, between backticks.
fn shown(word: &str) -> String {
    cut(&line(word).replace('`', "'"), SHOWN)
}

/// The word that was most likely meant, if one is near enough: a third of it may be wrong, or one letter.
pub fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no misspelling of anything, and comparing takes time in proportion to the length.
    if word.chars().nth(100).is_some() {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let word = plain(word);
    known
        .map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), known))
        .filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1))
        .min()
        .map(|(_, known)| known)
}

/// What there is to say, in Slack's mrkdwn; `<` and `>` in it are meant to be read, so escape them.
pub fn help() -> String {
    let mut help = "*What you can ask Belay*".to_owned();
    for verb in Verb::ALL {
        help.push_str(&format!("\n• `{}`: {}", verb.usage(), verb.meaning()));
    }
    help.push_str("\nOnly a service's approvers can roll back or halt.");
    help
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn both(service: &str, release: Option<&str>) -> (String, Option<String>) {
        (service.to_owned(), release.map(str::to_owned))
    }

    #[test]
    fn each_command_is_read() {
        let ((service, release), (_, named)) = (both("orders", None), both("", Some("d-1")));
        for (text, command) in [
            ("", Command::Help),
            (" \t ", Command::Help),
            ("help", Command::Help),
            ("status", Command::Status(None)),
            ("status orders", Command::Status(Some("orders".to_owned()))),
            ("why orders", Command::Why("orders".to_owned())),
            ("history orders", Command::History("orders".to_owned())),
            ("rollback orders", Command::RollBack { service: service.clone(), release: release.clone() }),
            ("rollback orders d-1", Command::RollBack { service: service.clone(), release: named.clone() }),
            ("roll back orders d-1", Command::RollBack { service: service.clone(), release: named.clone() }),
            ("Roll-Back orders", Command::RollBack { service: service.clone(), release: release.clone() }),
            ("roll_back orders", Command::RollBack { service: service.clone(), release: release.clone() }),
            ("HALT orders", Command::Halt { service: service.clone(), release }),
            ("halt orders d-1", Command::Halt { service, release: named }),
            ("  STATUS   `orders` ", Command::Status(Some("orders".to_owned()))),
            ("\"why\" “orders”", Command::Why("orders".to_owned())),
        ] {
            assert_eq!(super::command(text), Ok(command), "{text}");
        }
    }

    #[test]
    fn a_service_keeps_its_case() {
        assert_eq!(command("why Orders"), Ok(Command::Why("Orders".to_owned())));
    }

    #[test]
    fn a_mistake_says_what_was_meant() {
        for (text, said) in [
            ("statsu", "There is no command `statsu`. Did you mean `status`?"),
            ("rolback orders", "There is no command `rolback`. Did you mean `rollback`?"),
            ("deploy orders", "There is no command `deploy`. `/belay help` lists them."),
            ("roll orders", "There is no command `roll`. `/belay help` lists them."),
            ("halt", "`halt` needs a service. Write `/belay halt <service> [release]`."),
            ("why", "`why` needs a service or a release. Write `/belay why <service or release>`."),
            ("status a b", "`status` does not take `b`. Write `/belay status [service]`."),
            ("rollback a b c", "`rollback` does not take `c`. Write `/belay rollback <service> [release]`."),
            ("help me", "`help` does not take `me`. Write `/belay help`."),
        ] {
            assert_eq!(command(text).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = || ["orders", "order-history", "payments"].into_iter();
        assert_eq!(did_you_mean("ordres", known()), Some("orders"));
        assert_eq!(did_you_mean("Order_History", known()), Some("order-history"));
        assert_eq!(did_you_mean("checkout", known()), None);
        assert_eq!(did_you_mean(&"orders".repeat(20), known()), None);
    }

    #[test]
    fn help_names_every_command() {
        for verb in Verb::ALL {
            assert!(help().contains(verb.usage()), "{verb}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_an_answer_is_short(text in ".{0,300}|[a-z`\" ]{0,80}") {
            if let Err(error) = command(&text) {
                let said = error.to_string();
                prop_assert!(said.chars().count() < 200, "{}", said);
                prop_assert!(!said.contains(char::is_control));
            }
        }
    }
}
