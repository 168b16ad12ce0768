//! Tokens, secrets and people are in no line of the log and in no record; a rotated secret is taken up by itself.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, OnceLock},
};

use belay_tests::{Press, SlackApp, SlackFault, sign_slack, stage::functions};
use serde_json::{Value, json};
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::{
    EnvFilter,
    fmt::{self, MakeWriter},
};

use crate::{
    a_release_is_guarded::{Story, lambda},
    people_in_chat::{ANNA, BOB, CHANNEL, EVE, TALKED},
    pipelines_ask::Waiting,
    requests_that_are_not_slacks::{asked, fetches, fetches_of},
};

/// All lines that were logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Begins to listen to this thread, which is the one on which a test's functions and the simulator run: to every
    /// word of ours, and to what others say as loudly as a deployed function lets them.
    pub(crate) fn begin() -> (Self, dispatcher::DefaultGuard) {
        // With one listener in the process, tracing asks the thread that comes first to a line whether anybody listens,
        // and remembers its "no" for all threads, those of the other tests among them. With two it asks both.
        static SECOND: OnceLock<Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| Dispatch::new(fmt::fmt().with_writer(io::sink).finish()));
        let log = Self::default();
        let ours =
            ["belay", "alarm_transitions", "chat_actions", "lifecycle_hooks", "pipeline_events", "sweep"];
        let levels: Vec<String> = ours.iter().map(|name| format!("{name}=trace")).collect();
        let filter = EnvFilter::new(format!("debug,{}", levels.join(",")));
        let listening = fmt::fmt().with_env_filter(filter).with_ansi(false).with_writer(log.clone()).finish();
        (log, dispatcher::set_default(&Dispatch::new(listening)))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Everything that stands in it was looked for, and none of it is there.
    pub(crate) fn says_nothing_of(&self, secrets: &[&str]) {
        let text = self.text();
        for secret in secrets {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} was logged");
        }
    }

    pub(crate) fn says(&self, words: &[&str]) {
        let text = self.text();
        for word in words {
            assert!(text.contains(word), "“{word}” was not logged:\n{text}");
        }
    }
}

const NEW_TOKEN: &str = "xoxb-the-token-after";
const NEW_SIGNING: &str = "the-signing-secret-after";

fn secret(token: &str, signing: &str) -> String {
    json!({ "slack_bot_token": token, "slack_signing_secret": signing }).to_string()
}

fn install(story: &Story, token: &str, signing: &str) {
    story.simulator.install_slack(SlackApp {
        bot_token: token.to_owned(),
        signing_secret: signing.to_owned(),
        team: functions::TEAM.to_owned(),
    });
}

fn ledger(story: &Story) -> String {
    json!(story.simulator.table(functions::TABLE)).to_string()
}

#[tokio::test]
async fn no_line_of_the_log_has_a_secret_or_a_person_in_it() {
    let (log, _listening) = Log::begin();
    let story = Story::under(lambda(), TALKED).await;
    let url = story.simulator.install_teams("teams-signature-of-ours");
    let all = json!({
        "slack_bot_token": functions::BOT_TOKEN, "slack_signing_secret": functions::SIGNING_SECRET,
        "teams_webhook_url": url,
    });
    story.simulator.rotate_secret(functions::CHAT_SECRET, &all.to_string());
    story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(2).await;
    // Somebody who may not, somebody who may, somebody who is late, and those who type.
    story.press_why(EVE, "Roll back", Some("because <@U02ANNA> said so")).await;
    story.minutes(1).await;
    let late = {
        let ts = story.card().ts;
        let press = Press { user: BOB, channel: CHANNEL, ts: &ts, action: "Roll back", why: None };
        story.simulator.slack_press(press).unwrap()
    };
    story.press_why(ANNA, "Keep", Some("I looked at it")).await;
    story.minutes(1).await;
    story.simulator.request("chat-actions", &late).await.unwrap();
    story.minutes(1).await;
    for command in
        ["help", "status", "status orders", "why orders", "history orders", "halt orders", "nonsense"]
    {
        story.types(BOB, command).await;
        story.types(EVE, command).await;
    }
    story.minutes(1).await;
    // A request that is not Slack's.
    let mut event: Value = serde_json::from_slice(&late).unwrap();
    event["headers"]["x-slack-signature"] = json!(format!("v0={}", "0".repeat(64)));
    story.simulator.request("chat-actions", event.to_string().as_bytes()).await.unwrap();
    // Slack does not know the token any more, for good; then there is a new one.
    story.simulator.slack_fault("*", SlackFault::Error("invalid_auth"), 40);
    story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.types(ANNA, "rollback orders").await;
    story.minutes(2).await;
    install(&story, NEW_TOKEN, NEW_SIGNING);
    story.simulator.rotate_secret(functions::CHAT_SECRET, &secret(NEW_TOKEN, NEW_SIGNING));
    story.minutes(10).await;
    log.says(&[
        "an answer counts",
        "an answer does not count",
        "pressed",
        "a request is not Slack's",
        "refused a request",
        "a chat product does not take messages",
        "Install the Slack app again",
        "showed the card",
        "told",
    ]);
    let secrets = [
        functions::BOT_TOKEN,
        functions::SIGNING_SECRET,
        "teams-signature-of-ours",
        url.as_str(),
        NEW_TOKEN,
        NEW_SIGNING,
    ];
    log.says_nothing_of(&secrets);
    log.says_nothing_of(&[ANNA, BOB, EVE, "anna@example.com"]);
    let ledger = ledger(&story);
    assert!(ledger.contains(ANNA) && ledger.contains(EVE), "who pressed is in the ledger");
    for secret in secrets {
        assert!(!ledger.contains(secret), "{secret} is in the ledger");
    }
    let told = format!("{:?} {:?}", story.messages(), story.in_channel());
    assert!(secrets.iter().all(|secret| !told.contains(secret)));
}

#[tokio::test]
async fn the_token_of_an_approval_is_nowhere_but_in_the_answer_to_it() {
    let (log, _listening) = Log::begin();
    nowhere_else(&log, Waiting::to_begin().await).await;
}

#[tokio::test]
async fn the_token_of_a_notification_is_nowhere_but_in_the_answer_to_it() {
    let (log, _listening) = Log::begin();
    let waiting = Waiting::notified().await;
    log.says(&["the approval waits in an execution"]);
    nowhere_else(&log, waiting).await;
}

async fn nowhere_else(log: &Log, waiting: Waiting) {
    waiting.press_why(ANNA, "Approve", Some("looks good")).await;
    waiting.minutes(3).await;
    let answers = waiting.simulator.effects("PutApprovalResult");
    let token = answers[0]["token"].as_str().unwrap();
    assert!(token.len() > 30, "{token}");
    log.says(&["an answer counts"]);
    log.says_nothing_of(&[token, ANNA]);
    let told = format!(
        "{:?} {:?} {}",
        waiting.simulator.messages(),
        waiting.simulator.slack_messages(CHANNEL),
        json!(waiting.simulator.table(functions::TABLE))
    );
    assert!(!told.contains(token));
}

#[tokio::test]
async fn a_signing_secret_that_is_rotated_is_taken_up_and_the_one_before_counts_for_a_while() {
    let story = asked().await;
    for _ in 0..3 {
        story.types(EVE, "help").await;
    }
    assert_eq!(fetches(&story), 1, "many invocations, one look");
    let old = {
        let event: Value =
            serde_json::from_slice(&story.simulator.slack_command(EVE, CHANNEL, "help")).unwrap();
        event.to_string().into_bytes()
    };
    install(&story, functions::BOT_TOKEN, NEW_SIGNING);
    story.simulator.rotate_secret(functions::CHAT_SECRET, &secret(functions::BOT_TOKEN, NEW_SIGNING));
    assert_eq!(story.press(ANNA, "Keep").await["statusCode"], json!(200));
    assert_eq!(fetches(&story), 2);
    // Slack goes on with the old one until somebody presses "revoke": both are good meanwhile.
    let answer = story.simulator.request("chat-actions", &old).await.unwrap();
    assert_eq!(answer["statusCode"], json!(200));
    assert!(story.types(EVE, "help").await.contains("/belay status"));
    // One that is neither is none.
    let mut event: Value = serde_json::from_slice(&old).unwrap();
    let at = story.simulator.now().as_second();
    event["headers"]["x-slack-signature"] = json!(sign_slack("a third one", at, b"text=help"));
    let answer = story.simulator.request("chat-actions", event.to_string().as_bytes()).await.unwrap();
    assert_eq!(answer["statusCode"], json!(401));
    story.minutes(30).await;
    assert_eq!((fetches(&story), story.stops().len()), (2, 0));
}

#[tokio::test]
async fn a_bot_token_that_is_rotated_is_taken_up_when_slack_refuses_the_old_one() {
    let story = asked().await;
    story.types(EVE, "help").await;
    install(&story, NEW_TOKEN, functions::SIGNING_SECRET);
    story.simulator.rotate_secret(functions::CHAT_SECRET, &secret(NEW_TOKEN, functions::SIGNING_SECRET));
    let edits = story.card().edits;
    story.press(ANNA, "Roll back").await;
    story.minutes(2).await;
    assert_eq!(fetches(&story), 2);
    assert!(story.card().edits > edits, "the card is edited with the new token");
    let refused = story.simulator.journal().into_iter().filter(|call| {
        call.service == belay_tests::Service::Slack && call.outcome == Err("invalid_auth".to_owned())
    });
    let counts = functions::FUNCTIONS.map(|function| fetches_of(&story, function));
    let twice = counts.into_iter().filter(|fetched| *fetched == 2).count();
    assert!(counts.into_iter().all(|fetched| fetched <= 2), "{counts:?}");
    assert_eq!(refused.count(), twice, "each process that had the old token tries it once");
    assert_eq!(story.stops().len(), 1);
}
