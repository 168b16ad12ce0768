//! Whether what a script expects came true.

use jiff::SignedDuration;

use super::{Did, Played};
use crate::stage::{
    as_read,
    script::{Expect, Rehearsal},
};

impl Played {
    /// What did not come true of what the script expects.
    pub fn disappointments(&self, rehearsal: &Rehearsal) -> Vec<String> {
        let expect = &rehearsal.expect;
        let mut wrong = Vec::new();
        if self.status != expect.release {
            wrong.push(format!("the release is {}, expected {}", self.status, expect.release));
        }
        if self.serves != expect.serves {
            wrong.push(format!("{} gets the traffic, expected {}", self.serves, expect.serves));
        }
        for (operation, expected) in [
            ("StopDeployment", expect.undos),
            ("CreateDeployment", expect.creates),
            ("RollbackStage", expect.stage_rollbacks),
            ("StopPipelineExecution", expect.pipeline_stops),
        ] {
            let times = self.called(&[operation]).len();
            if times != expected {
                wrong.push(format!("{times} calls of {operation}, expected {expected}"));
            }
        }
        let reached: Vec<String> = self.decisions().into_iter().map(|(_, one)| one.verdict).collect();
        for verdict in &expect.verdicts {
            if !reached.contains(verdict) {
                wrong.push(format!("nobody decided {verdict}; decided was {}", reached.join(", ")));
            }
        }
        let messages = self.messages();
        let says = |sentence: &String| {
            messages.iter().any(|(_, title, text)| title.contains(sentence) || text.contains(sentence))
        };
        for sentence in &expect.told {
            if !says(sentence) {
                wrong.push(format!("no message says “{sentence}”"));
            }
        }
        for sentence in &expect.not_told {
            if says(sentence) {
                wrong.push(format!("a message says “{sentence}”"));
            }
        }
        if let Some(count) = expect.messages
            && count != messages.len()
        {
            wrong.push(format!("{} messages, expected {count}", messages.len()));
        }
        wrong.extend(self.in_chat(expect));
        wrong.extend(self.on_the_dashboard(expect));
        if let Some(within) = expect.undone_within {
            match self.undone_after() {
                None => wrong.push("nothing was undone".to_owned()),
                Some(took) if took > SignedDuration::try_from(within.0).unwrap_or(SignedDuration::MAX) => {
                    wrong.push(format!("undone {took:#} after the alarm, expected {:?}", within.0));
                }
                Some(_) => {}
            }
        }
        if self.dead_letters != expect.given_up {
            wrong.push(format!(
                "{} deliveries were given up, expected {}",
                self.dead_letters, expect.given_up
            ));
        }
        wrong
    }

    /// The newest card as people read it in the end, line by line.
    pub fn card(&self) -> String {
        let card = self.cards.last();
        card.map_or_else(String::new, |card| as_read::slack(&card.blocks, self.began).join("\n"))
    }

    /// What did not come true of what is expected in chat.
    fn in_chat(&self, expect: &Expect) -> Vec<String> {
        let mut wrong = Vec::new();
        let counts = [
            ("cards", expect.cards, self.cards.len()),
            ("messages in threads", expect.thread, self.thread.len()),
            ("pictures in threads", expect.pictures, self.pictures),
            ("cards in Teams", expect.teams_cards, self.teams.len()),
        ];
        for (what, expected, there) in counts {
            if let Some(expected) = expected.filter(|expected| *expected != there) {
                wrong.push(format!("{there} {what}, expected {expected}"));
            }
        }
        let card = self.card();
        for sentence in expect.card.iter().filter(|sentence| !card.contains(*sentence)) {
            wrong.push(format!("the card does not say “{sentence}”; it says:\n{card}"));
        }
        let versions = self.cards.iter().flat_map(|card| &card.versions);
        let shown: Vec<String> =
            versions.map(|version| as_read::slack(&version.blocks, self.began).join("\n")).collect();
        for sentence in
            expect.shown.iter().filter(|sentence| !shown.iter().any(|card| card.contains(*sentence)))
        {
            wrong.push(format!("no card ever said “{sentence}”; the last one said:\n{card}"));
        }
        for sentence in expect.not_on_card.iter().filter(|sentence| card.contains(*sentence)) {
            wrong.push(format!("the card says “{sentence}”"));
        }
        for expected in &expect.whispered {
            let to = self.whispers.iter().filter(|whisper| whisper.user == expected.user);
            let told: Vec<&str> = to.map(|whisper| whisper.text.as_str()).collect();
            if !told.iter().any(|text| text.contains(&expected.says)) {
                wrong.push(format!(
                    "{} was not told “{}”; told was “{}”",
                    expected.user,
                    expected.says,
                    told.join("”, “")
                ));
            }
        }
        let answers: Vec<&str> = self
            .acts
            .iter()
            .filter_map(|act| match &act.did {
                Did::Typed { answer, .. } => Some(answer.as_str()),
                Did::Pressed { .. }
                | Did::AnsweredInConsole { .. }
                | Did::SlackWentDown
                | Did::SlackCameUp => None,
            })
            .collect();
        for sentence in &expect.answered {
            if !answers.iter().any(|answer| answer.contains(sentence)) {
                wrong.push(format!(
                    "no command was answered with “{sentence}”; the answers are:\n{}",
                    answers.join("\n")
                ));
            }
        }
        wrong
    }
}
