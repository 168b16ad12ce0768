//! A pipeline asks a person, or a stage of it failed: the card has the buttons, and CodePipeline gets one answer.

use std::time::Duration;

use belay::policy::Policy;
use belay_tests::{
    Action, Alarm, AlarmState, ExecutionStatus, Fault, Group, Message, Pipeline, Press, Simulator,
    SlackMessage, Stage,
    stage::functions::{self, id, invocation},
};
use serde_json::{Value, json};

use crate::{
    a_release_is_guarded::{canary, noon},
    people_in_chat::{ANNA, BOB, CHANNEL, EVE, shown},
};

const POLICY: &str = "version: 1
services:
  orders:
    deployed_by: [ { pipeline: { name: release, stage: Production } } ]
    alarms: { orders-5xx: roll_back }
    approvers: [ { id: U02ANNA, also: [anna@example.com] }, U02BOB ]
    chat: { slack: C0ORDERS01 }
";

/// A pipeline whose second execution waits for a person, or has failed.
pub(crate) struct Waiting {
    pub(crate) simulator: Simulator,
    pub(crate) execution: String,
}

impl Waiting {
    pub(crate) async fn in_pipeline(pipeline: Pipeline) -> Self {
        Self::under(POLICY, pipeline, None).await
    }

    async fn under(policy: &str, pipeline: Pipeline, group: Option<Group>) -> Self {
        let simulator = Simulator::start(noon()).await;
        if let Some(group) = group {
            simulator.create_group(group);
        }
        simulator.create_alarm(Alarm::scripted("orders-5xx"));
        simulator.create_pipeline(pipeline);
        functions::install(&simulator, Policy::parse(policy).unwrap_or_else(|mistakes| panic!("{mistakes}")));
        Self { simulator, execution: String::new() }
    }

    /// The approval stands in a stage of its own, before the one that releases.
    pub(crate) async fn to_begin() -> Self {
        let waiting = Self::in_pipeline(
            Pipeline::v2("release")
                .stage(Stage::source("Source"))
                .stage(Stage::of("Ask", Action::approval("Sign-off")))
                .stage(Stage::deploy_for("Production", 60)),
        )
        .await;
        waiting.starts("v2").await
    }

    /// The same, and the approval tells Belay's topic that it waits.
    pub(crate) async fn notified() -> Self {
        let ask = Action::approval("Sign-off").notifying(functions::APPROVALS);
        let waiting = Self::in_pipeline(
            Pipeline::v2("release")
                .stage(Stage::source("Source"))
                .stage(Stage::of("Ask", ask.configured("CustomData", "Look at <staging> with {revision}")))
                .stage(Stage::deploy_for("Production", 60)),
        )
        .await;
        waiting.starts("v2").await
    }

    pub(crate) async fn starts(mut self, label: &str) -> Self {
        self.execution = self.simulator.start_pipeline("release", label);
        self.minutes(2).await;
        self
    }

    pub(crate) async fn minutes(&self, minutes: u64) {
        self.simulator.advance(Duration::from_secs(60 * minutes)).await;
    }

    pub(crate) fn cards(&self) -> Vec<SlackMessage> {
        let messages = self.simulator.slack_messages(CHANNEL).into_iter();
        messages.filter(|message| message.thread_ts.is_none()).collect()
    }

    /// The card of the present execution.
    pub(crate) fn card(&self) -> SlackMessage {
        self.card_of(&self.execution)
    }

    /// The card whose headline names an execution, as people call it; others may be told of on it as well.
    fn card_of(&self, execution: &str) -> SlackMessage {
        let names = |card: &SlackMessage| card.text.contains(&execution[..8]);
        let cards: Vec<SlackMessage> = self.cards().into_iter().filter(names).collect();
        assert_eq!(cards.len(), 1, "{cards:#?}");
        cards.into_iter().next().unwrap()
    }

    pub(crate) fn presses(&self, user: &str, button: &str, why: Option<&str>) -> Vec<u8> {
        self.presses_on(&self.card(), user, button, why)
    }

    fn presses_on(&self, card: &SlackMessage, user: &str, button: &str, why: Option<&str>) -> Vec<u8> {
        let ts = card.ts.clone();
        let press = Press { user, channel: CHANNEL, ts: &ts, action: button, why };
        self.simulator.slack_press(press).unwrap()
    }

    pub(crate) async fn press_why(&self, user: &str, button: &str, why: Option<&str>) -> Value {
        let event = self.presses(user, button, why);
        self.simulator.request("chat-actions", &event).await.unwrap()
    }

    fn buttons(&self) -> Vec<String> {
        buttons(&self.card())
    }

    /// Somebody types a command; what they are answered with.
    async fn types(&self, user: &str, text: &str) -> String {
        let event = self.simulator.slack_command(user, CHANNEL, text);
        let answer = self.simulator.request("chat-actions", &event).await.unwrap();
        answer["body"].as_str().unwrap().to_owned()
    }

    fn whispers(&self, user: &str) -> Vec<String> {
        let whispers = self.simulator.slack_whispers().into_iter();
        whispers.filter(|whisper| whisper.user == user).map(|whisper| whisper.text).collect()
    }

    pub(crate) fn answers(&self) -> Vec<Value> {
        self.simulator.effects("PutApprovalResult")
    }

    pub(crate) fn status(&self) -> ExecutionStatus {
        self.simulator.pipeline_execution(&self.execution).status
    }
}

/// What stands on a message's buttons, but those that only lead somewhere.
pub(crate) fn buttons(message: &SlackMessage) -> Vec<String> {
    let elements = message.blocks.iter().filter(|block| block["type"] == "actions");
    let elements = elements.flat_map(|block| block["elements"].as_array().unwrap());
    let pressed = elements.filter(|element| element["url"].is_null());
    pressed.map(|element| element["text"]["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_waits_while_a_hundred_others_start_is_answered_and_watched() {
    let waiting = Waiting::to_begin().await;
    for count in 0..101 {
        waiting.simulator.start_pipeline("release", &format!("v{}", count + 3));
    }
    waiting.minutes(2).await;
    waiting.press_why(ANNA, "Approve", None).await;
    waiting.minutes(1).await;
    assert_eq!(waiting.answers().len(), 1, "{:?}", waiting.whispers(ANNA));
    waiting.minutes(3).await;
    // What it brings is known as well: an alarm takes it back, or says that there is nothing to go back to.
    waiting.simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, waiting.simulator.now());
    waiting.minutes(5).await;
    let unknown = |message: &Message| message.message.contains("does not list");
    assert!(!waiting.simulator.messages().iter().any(unknown), "{:#?}", waiting.simulator.messages());
}

#[tokio::test]
async fn an_approver_approves_and_the_pipeline_goes_on() {
    let waiting = Waiting::to_begin().await;
    assert_eq!(waiting.buttons(), ["Approve", "Reject"], "{}", shown(&waiting.card()));
    waiting.press_why(EVE, "Approve", None).await;
    waiting.minutes(1).await;
    assert_eq!(waiting.answers(), Vec::<Value>::new());
    assert!(waiting.whispers(EVE)[0].contains("not among the approvers"));
    let again = waiting.presses(BOB, "Reject", None);
    waiting.press_why(ANNA, "Approve", Some("the graphs are quiet")).await;
    waiting.minutes(3).await;
    let answers = waiting.answers();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0]["result"]["status"], json!("Approved"));
    let summary = answers[0]["result"]["summary"].as_str().unwrap();
    for said in ["U02ANNA", "2026-03-05T12:03", "the graphs are quiet"] {
        assert!(summary.contains(said), "{summary}");
    }
    assert_eq!(waiting.status(), ExecutionStatus::Succeeded);
    let card = shown(&waiting.card());
    assert!(card.contains("<@U02ANNA>") && card.contains("chose Approve"), "{card}");
    assert!(!waiting.buttons().contains(&"Approve".to_owned()), "{:?}", waiting.buttons());
    // Who saw the old buttons is told.
    waiting.simulator.request("chat-actions", &again).await.unwrap();
    waiting.minutes(1).await;
    assert_eq!(waiting.answers().len(), 1);
    let told = waiting.whispers(BOB);
    assert!(told[0].contains("<@U02ANNA> was first") && told[0].contains("Approve"), "{told:?}");
    assert_eq!((waiting.cards().len(), waiting.simulator.dead_letters()), (1, Vec::new()));
    waiting.simulator.assert_all_modelled();
}

#[tokio::test]
async fn a_rejection_ends_it() {
    let waiting = Waiting::to_begin().await;
    waiting.press_why(BOB, "Reject", Some("not on a Friday")).await;
    waiting.minutes(3).await;
    let answers = waiting.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["result"]["status"], json!("Rejected"));
    assert!(answers[0]["result"]["summary"].as_str().unwrap().contains("not on a Friday"));
    assert_eq!(waiting.status(), ExecutionStatus::Failed);
    let card = shown(&waiting.card());
    assert!(card.contains("chose Reject"), "{card}");
    assert!(!waiting.buttons().contains(&"Approve".to_owned()), "{:?}", waiting.buttons());
    assert_eq!(waiting.simulator.dead_letters(), []);
}

#[tokio::test]
async fn an_answer_in_the_console_is_on_the_card_and_closes_it() {
    for (approved, word) in [(true, "Approve"), (false, "Reject")] {
        let waiting = Waiting::to_begin().await;
        let late = waiting.presses(ANNA, "Approve", None);
        let arn = "arn:aws:iam::123456789012:user/ada";
        waiting.simulator.approve_in_console("release", "Ask", "Sign-off", approved, arn, "I saw the graph");
        waiting.minutes(2).await;
        let card = shown(&waiting.card());
        for said in [arn, &format!("chose {word}"), "in the console", "I saw the graph"] {
            assert!(card.contains(said), "{said} is not in {card}");
        }
        let buttons = waiting.buttons();
        assert!(
            !buttons.contains(&"Approve".to_owned()) && !buttons.contains(&"Reject".to_owned()),
            "{buttons:?}"
        );
        waiting.simulator.request("chat-actions", &late).await.unwrap();
        waiting.minutes(1).await;
        assert_eq!(waiting.answers(), Vec::<Value>::new());
        let told = waiting.whispers(ANNA);
        assert!(told[0].contains("console") && told[0].contains("was first"), "{told:?}");
        assert_eq!(waiting.simulator.dead_letters(), []);
    }
}

/// What the topic was told with these words in it.
fn told(waiting: &Waiting, words: &str) -> Vec<String> {
    let messages = waiting.simulator.messages().into_iter().map(|message| message.message);
    messages.filter(|message| message.contains(words)).collect()
}

/// An approval that is over after three minutes.
async fn soon_over() -> Waiting {
    let pipeline = Pipeline::v2("release")
        .stage(Stage::source("Source"))
        .stage(Stage::of("Ask", Action::approval("Sign-off").expiring_after(3)))
        .stage(Stage::deploy_for("Production", 60));
    Waiting::in_pipeline(pipeline).await.starts("v2").await
}

#[tokio::test]
async fn that_nobody_answered_is_not_claimed_where_it_is_not_known_who_answered() {
    let waiting = soon_over().await;
    waiting.simulator.fault("GetPipelineState", Fault::Throttle, 1_000);
    waiting.minutes(4).await;
    assert_eq!(waiting.status(), ExecutionStatus::Failed);
    assert_eq!(
        told(&waiting, "or was not given in its time").len(),
        1,
        "{:#?}",
        waiting.simulator.messages()
    );
    assert_eq!(told(&waiting, "Nobody answered"), Vec::<String>::new());
}

#[tokio::test]
async fn an_approval_that_nobody_answers_is_told_as_such_and_not_as_rejected() {
    let waiting = soon_over().await;
    let late = waiting.presses(ANNA, "Approve", None);
    waiting.minutes(4).await;
    assert_eq!(waiting.status(), ExecutionStatus::Failed);
    let card = shown(&waiting.card());
    assert!(card.contains("Nobody answered in time (Sign-off)"), "{card}");
    assert!(!card.contains("console or by the CLI") && !card.contains("Reject"), "{card}");
    let told = told(&waiting, "nobody approved");
    assert_eq!(told.len(), 1, "{:#?}", waiting.simulator.messages());
    for said in ["Nobody answered Sign-off in its time", "Ask again: retry the stage", "the approvers"] {
        assert!(told[0].contains(said), "{said} is not in {}", told[0]);
    }
    assert!(!told[0].contains("rejected"), "{}", told[0]);
    waiting.simulator.request("chat-actions", &late).await.unwrap();
    waiting.minutes(1).await;
    assert!(waiting.whispers(ANNA)[0].contains("The deadline was first"), "{:?}", waiting.whispers(ANNA));
    assert_eq!((waiting.answers(), waiting.simulator.dead_letters()), (Vec::new(), Vec::new()));
    waiting.simulator.assert_all_modelled();
}

#[tokio::test]
async fn an_approval_that_is_rejected_elsewhere_is_told_with_the_words_of_whoever_did() {
    let waiting = Waiting::to_begin().await;
    let arn = "arn:aws:iam::123456789012:user/ada";
    waiting.simulator.approve_in_console("release", "Ask", "Sign-off", false, arn, "I saw the graph");
    waiting.minutes(3).await;
    let told = told(&waiting, "is rejected");
    assert_eq!(told.len(), 1, "{:#?}", waiting.simulator.messages());
    for said in ["Sign-off was rejected: I saw the graph", "Talk to whoever rejected it"] {
        assert!(told[0].contains(said), "{said} is not in {}", told[0]);
    }
    assert!(!told[0].contains("in its time"), "{}", told[0]);
    waiting.simulator.assert_all_modelled();
}

#[tokio::test]
async fn the_console_and_a_button_at_once_make_one_answer() {
    // The press is taken, and before it is judged somebody in the console was faster; its event comes after.
    let waiting = Waiting::to_begin().await;
    waiting.press_why(ANNA, "Reject", None).await;
    let arn = "arn:aws:iam::123456789012:user/ada";
    waiting.simulator.approve_in_console("release", "Ask", "Sign-off", true, arn, "I saw the graph");
    waiting.minutes(4).await;
    assert_eq!(waiting.answers(), Vec::<Value>::new());
    assert_eq!(waiting.status(), ExecutionStatus::Succeeded, "the console's answer is the one that counts");
    // Both stand on the card, and which of them counts.
    let card = shown(&waiting.card());
    for said in
        ["<@U02ANNA>", "chose Reject", "The approval Sign-off was given in the console or by the CLI."]
    {
        assert!(card.contains(said), "{said} is not in {card}");
    }
    let told = waiting.simulator.messages().into_iter().map(|message| message.message).collect::<String>();
    assert!(told.contains("had its answer already"), "{told}");
    assert_eq!(waiting.simulator.dead_letters(), []);
}

#[tokio::test]
async fn a_pipeline_that_waits_costs_nobody_a_failure_and_one_that_never_begins_is_let_go() {
    let waiting = Waiting::to_begin().await;
    let sweeps = |simulator: &Simulator| {
        let timeline = simulator.timeline().into_iter();
        let results = timeline.filter_map(|happening| match happening.what {
            belay_tests::What::Invoked { function, result, .. } if function == "sweep" => Some(result),
            _ => None,
        });
        results.collect::<Vec<_>>()
    };
    waiting.minutes(30).await;
    assert!(shown(&waiting.card()).contains("waits for a person"), "{}", shown(&waiting.card()));
    waiting.press_why(ANNA, "Reject", None).await;
    waiting.minutes(5).await;
    assert!(sweeps(&waiting.simulator).iter().all(Result::is_ok), "{:#?}", sweeps(&waiting.simulator));
    let card = shown(&waiting.card());
    assert!(card.contains("did not begin") && !card.contains("has not begun"), "{card}");
    // Nothing of it is on watch any more: an idle minute is one query.
    let before = waiting.simulator.journal().len();
    waiting.minutes(3).await;
    let calls: Vec<String> =
        waiting.simulator.journal().split_off(before).into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["Query"; 3]);
    let titles: String = waiting.simulator.messages().into_iter().map(|message| message.message).collect();
    assert!(!titles.contains("began\""), "it never began: {titles}");
}

#[tokio::test]
async fn an_approval_in_the_stage_itself_is_asked_as_well() {
    let production = Stage::of("Production", Action::approval("Sign-off"));
    let waiting = Waiting::in_pipeline(
        Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(production.then(Action::deploy_for("Deploy", 60))),
    )
    .await
    .starts("v2")
    .await;
    assert!(waiting.buttons().contains(&"Approve".to_owned()), "{:?}", waiting.buttons());
    waiting.press_why(BOB, "Approve", None).await;
    waiting.minutes(3).await;
    assert_eq!((waiting.answers().len(), waiting.status()), (1, ExecutionStatus::Succeeded));
    assert_eq!((waiting.cards().len(), waiting.simulator.dead_letters()), (1, Vec::new()));
}

#[tokio::test]
async fn an_approval_behind_the_stage_that_releases_can_be_answered_on_its_card() {
    let staging = "{ pipeline: { name: release, stage: Staging } }";
    let both = format!("{staging}, {{ pipeline: {{ name: release, stage: Production }} }}");
    let ask = || Stage::of("Ask", Action::approval("Sign-off"));
    let inside = Stage::of("Production", Action::approval("Sign-off")).then(Action::deploy_for("Deploy", 60));
    let production = || Stage::deploy_for("Production", 60);
    for (places, behind) in [
        (both.as_str(), vec![ask(), production()]),
        (both.as_str(), vec![inside]),
        (staging, vec![ask(), production()]),
    ] {
        let policy = POLICY.replace("{ pipeline: { name: release, stage: Production } }", places);
        let pipeline =
            Pipeline::v2("release").stage(Stage::source("Source")).stage(Stage::deploy_for("Staging", 60));
        let pipeline = behind.into_iter().fold(pipeline, Pipeline::stage);
        let waiting = Waiting::under(&policy, pipeline, None).await.starts("v2").await;
        let card = || {
            let named = format!("Staging {}", &waiting.execution[..8]);
            waiting.cards().into_iter().find(|card| card.text.contains(&named)).unwrap()
        };
        // At once, and after the release has not been on watch for long.
        for minutes in [2, 40] {
            waiting.minutes(minutes).await;
            let shown = card();
            let offered = buttons(&shown);
            for button in ["Approve", "Reject"] {
                assert!(offered.contains(&button.to_owned()), "{offered:?}, {}", shown.text);
            }
            assert!(
                shown.text.contains("waits for a person") && !shown.text.contains("🟢"),
                "{}",
                shown.text
            );
        }
        let event = waiting.presses_on(&card(), BOB, "Approve", None);
        waiting.simulator.request("chat-actions", &event).await.unwrap();
        waiting.minutes(3).await;
        assert_eq!((waiting.answers().len(), waiting.status()), (1, ExecutionStatus::Succeeded));
        let shown = card();
        assert!(!buttons(&shown).contains(&"Approve".to_owned()), "{:?}", buttons(&shown));
        assert!(shown.text.contains("succeeded"), "{}", shown.text);
        assert_eq!(waiting.simulator.dead_letters(), []);
    }
}

#[tokio::test]
async fn nobody_approves_their_own_commit_in_whichever_source_it_stands() {
    let message = "Wider subnets\n\nbelay: requested-by anna@example.com";
    for (name, value) in [("AuthorEmail", "anna@example.com"), ("CommitMessage", message)] {
        for listed_first in [false, true] {
            let app = Action::source("App").finding("AuthorEmail", "carol@example.com");
            let infra = Action::source("Infra").finding(name, value);
            let (one, other) = if listed_first { (app, infra) } else { (infra, app) };
            let waiting = Waiting::in_pipeline(
                Pipeline::v2("release")
                    .stage(Stage::of("Source", one).beside(other))
                    .stage(Stage::of("Ask", Action::approval("Sign-off")))
                    .stage(Stage::deploy_for("Production", 60)),
            )
            .await
            .starts("v2")
            .await;
            waiting.press_why(ANNA, "Approve", None).await;
            waiting.minutes(1).await;
            assert_eq!(waiting.answers(), Vec::<Value>::new(), "{name}, listed first: {listed_first}");
            let told = waiting.whispers(ANNA);
            assert!(told.len() == 1 && told[0].contains("This release is your own"), "{told:?}");
            // Who wrote none of it may let it go on.
            waiting.press_why(BOB, "Approve", None).await;
            waiting.minutes(3).await;
            assert_eq!((waiting.answers().len(), waiting.status()), (1, ExecutionStatus::Succeeded));
        }
    }
}

#[tokio::test]
async fn two_press_at_once_and_codepipeline_gets_one_answer() {
    let waiting = Waiting::to_begin().await;
    let (anna, bob) = (waiting.presses(ANNA, "Approve", None), waiting.presses(BOB, "Reject", None));
    for event in [&anna, &bob] {
        waiting.simulator.request("chat-actions", event).await.unwrap();
    }
    waiting.minutes(3).await;
    let answers = waiting.answers();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0]["result"]["status"], json!("Approved"));
    assert!(waiting.whispers(BOB)[0].contains("<@U02ANNA> was first"), "{:?}", waiting.whispers(BOB));
    assert_eq!(waiting.whispers(ANNA), [] as [&str; 0]);
}

/// A pipeline whose stage fails with v2.
async fn failed() -> Waiting {
    let waiting = Waiting::in_pipeline(
        Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(Stage::of("Production", Action::deploy_for("Deploy", 60).failing_for("v2"))),
    )
    .await
    .starts("v1")
    .await;
    waiting.minutes(3).await;
    let waiting = waiting.starts("v2").await;
    waiting.minutes(2).await;
    assert_eq!(waiting.status(), ExecutionStatus::Failed);
    waiting
}

#[tokio::test]
async fn a_stage_that_failed_is_retried_once() {
    let waiting = failed().await;
    assert!(
        waiting.buttons().contains(&"Retry".to_owned()),
        "{:?}\n{}",
        waiting.buttons(),
        shown(&waiting.card())
    );
    let (anna, bob) = (waiting.presses(ANNA, "Retry", None), waiting.presses(BOB, "Retry", None));
    for event in [&anna, &bob, &anna] {
        waiting.simulator.request("chat-actions", event).await.unwrap();
    }
    waiting.minutes(4).await;
    let retried = waiting.simulator.effects("RetryStageExecution");
    assert_eq!(retried.len(), 1, "{retried:?}");
    assert_eq!(retried[0]["pipelineExecutionId"], json!(waiting.execution));
    assert_eq!(retried[0]["stageName"], json!("Production"));
    assert!(waiting.whispers(BOB)[0].contains("<@U02ANNA> was first"), "{:?}", waiting.whispers(BOB));
    let card = shown(&waiting.card());
    assert!(card.contains("chose Retry"), "{card}");
    assert_eq!(waiting.simulator.dead_letters(), []);
    // It failed again, and may be tried again.
    assert!(waiting.buttons().contains(&"Retry".to_owned()), "{:?}", waiting.buttons());
    waiting.press_why(BOB, "Retry", None).await;
    waiting.minutes(3).await;
    assert_eq!(waiting.simulator.effects("RetryStageExecution").len(), 2);
}

#[tokio::test]
async fn a_retry_that_is_not_possible_is_told() {
    let waiting = failed().await;
    let event = waiting.presses(ANNA, "Retry", None);
    // CodePipeline retries nothing that failed in another structure.
    waiting.simulator.change_pipeline("release");
    waiting.simulator.request("chat-actions", &event).await.unwrap();
    waiting.minutes(2).await;
    assert_eq!(waiting.simulator.effects("RetryStageExecution"), Vec::<Value>::new());
    let asked = waiting.simulator.calls("RetryStageExecution");
    assert_eq!(asked.len(), 1, "it is not asked again and again: {asked:#?}");
    let told: String = waiting.simulator.messages().into_iter().map(|message| message.message).collect();
    assert!(told.contains("could not be tried again") && told.contains("Unable to retry"), "{told}");
    assert_eq!(waiting.simulator.dead_letters(), []);
}

/// What an alarm is about is what users have; what a person pressed is about what the card shows.
#[tokio::test]
async fn a_stage_whose_approval_ran_out_is_retried_although_nothing_of_it_has_begun() {
    let production = Stage::of("Production", Action::approval("Sign-off").expiring_after(3));
    let waiting = Waiting::in_pipeline(
        Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(production.then(Action::deploy_for("Deploy", 60))),
    )
    .await
    .starts("v1")
    .await;
    waiting.press_why(BOB, "Approve", None).await;
    waiting.minutes(5).await;
    let waiting = waiting.starts("v2").await;
    waiting.minutes(5).await;
    assert_eq!(waiting.status(), ExecutionStatus::Failed);
    waiting.press_why(ANNA, "Retry", None).await;
    waiting.minutes(2).await;
    let retried = waiting.simulator.effects("RetryStageExecution");
    assert_eq!(retried.len(), 1, "{:#?}", waiting.simulator.messages());
    assert_eq!(retried[0]["pipelineExecutionId"], json!(waiting.execution));
}

#[tokio::test]
async fn a_service_whose_ledger_cannot_be_read_keeps_no_other_from_being_asked() {
    let simulator = Simulator::start(noon()).await;
    simulator.create_ledger_table(functions::TABLE);
    simulator.create_topic("belay");
    let ask = Stage::of("Ask", Action::approval("Sign-off"));
    let pipeline = Pipeline::v2("release").stage(Stage::source("Source")).stage(ask);
    simulator.create_pipeline(
        pipeline.stage(Stage::deploy_for("Production", 60)).stage(Stage::deploy_for("Shop", 60)),
    );
    let another = POLICY.split_once("  orders:").unwrap().1;
    let another = format!("{POLICY}  shop:{}", another.replace("Production", "Shop"));
    let policy = Policy::parse(&another).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    functions::install_chat(&simulator, &policy);
    simulator.start_pipeline("release", "v2");
    simulator.step(Duration::from_secs(60));
    let waits = simulator.take_deliveries().into_iter().find(|delivery| {
        let event = String::from_utf8_lossy(&delivery.payload);
        delivery.function == "pipeline-events" && event.contains("Sign-off") && event.contains("STARTED")
    });
    let guards = functions::guards(&simulator.endpoint(), policy, "pipeline-events");
    // With all of the SDK's tries.
    simulator.fault("Query", Fault::InternalError, 3);
    let (id, now) = (id(), simulator.now());
    let handled = pipeline_events::handle(&guards, &waits.unwrap().payload, invocation(&id, now)).await;
    handled.expect_err("it has to come again");
    let asked = simulator.messages().iter().filter(|message| message.message.contains("Sign-off")).count();
    assert_eq!(asked, 1);
}

/// What users have in Production is bad, was asked about, and another execution waits there for its approval.
async fn one_waits_behind_a_bad_one() -> (Waiting, String) {
    let production = Stage::of("Production", Action::approval("Sign-off"));
    let pipeline = Pipeline::v2("release")
        .stage(Stage::source("Source"))
        .stage(production.then(Action::deploy_for("Deploy", 60)));
    let mut waiting = Waiting::under(&POLICY.replace("roll_back", "ask"), pipeline, None).await;
    for version in ["v0", "v1"] {
        waiting = waiting.starts(version).await;
        waiting.press_why(BOB, "Approve", None).await;
        waiting.minutes(3).await;
        assert_eq!(waiting.status(), ExecutionStatus::Succeeded);
    }
    let bad = waiting.execution.clone();
    waiting.simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, waiting.simulator.now());
    waiting.minutes(2).await;
    (waiting.starts("v2").await, bad)
}

#[tokio::test]
async fn what_users_have_is_not_said_to_be_replaced_by_what_waits_and_goes_back_once_that_is_answered() {
    let (waiting, bad) = one_waits_behind_a_bad_one().await;
    let asked = buttons(&waiting.card_of(&bad));
    assert!(asked.contains(&"Keep".to_owned()) && asked.contains(&"Roll back".to_owned()), "{asked:?}");
    let event = waiting.presses_on(&waiting.card_of(&bad), ANNA, "Roll back", None);
    waiting.simulator.request("chat-actions", &event).await.unwrap();
    waiting.minutes(1).await;
    for operation in ["RollbackStage", "StopPipelineExecution"] {
        assert_eq!(waiting.simulator.effects(operation), Vec::<Value>::new(), "{operation}");
    }
    assert_eq!(told(&waiting, "has been released since"), Vec::<String>::new());
    assert_eq!(told(&waiting, "could not be done as asked").len(), 1, "{:#?}", waiting.simulator.messages());
    assert!(told(&waiting, "could not be done as asked")[0].contains("Answer it, then roll back"));
    let whispers = waiting.whispers(ANNA);
    assert!(whispers.len() == 1 && whispers[0].contains("Answer it, then roll back"), "{whispers:?}");
    // It is asked still, and what comes of pressing once more is told as well.
    assert_eq!(buttons(&waiting.card_of(&bad)), asked);
    waiting.press_why(BOB, "Reject", None).await;
    waiting.minutes(2).await;
    let event = waiting.presses_on(&waiting.card_of(&bad), ANNA, "Roll back", None);
    waiting.simulator.request("chat-actions", &event).await.unwrap();
    waiting.minutes(2).await;
    let back = waiting.simulator.effects("RollbackStage");
    let good = waiting.simulator.pipeline_executions("release")[0].id.clone();
    assert_eq!(back.len(), 1, "{:#?}", waiting.simulator.messages());
    assert_eq!(back[0]["targetPipelineExecutionId"], json!(good));
    assert_eq!(told(&waiting, &format!("taking back Production/{bad}")).len(), 1);
    assert_eq!(waiting.simulator.dead_letters(), []);
}

#[tokio::test]
async fn what_only_waits_is_not_rolled_back_to_what_users_have() {
    let (waiting, bad) = one_waits_behind_a_bad_one().await;
    let offered = waiting.buttons();
    assert!(offered.contains(&"Approve".to_owned()) && offered.contains(&"Halt".to_owned()), "{offered:?}");
    assert!(!offered.contains(&"Roll back".to_owned()), "{offered:?}");
    let named = format!("rollback orders Production/{}", waiting.execution);
    let said = waiting.types(ANNA, &named).await;
    assert!(said.contains("There is nothing to roll back for orders"), "{said}");
    // A command without a name means what users have.
    let said = waiting.types(ANNA, "rollback orders").await;
    assert!(said.contains(&format!("Asked to roll back Production/{bad}")), "{said}");
    waiting.minutes(2).await;
    for operation in ["RollbackStage", "StopPipelineExecution"] {
        assert_eq!(waiting.simulator.effects(operation), Vec::<Value>::new(), "{operation}");
    }
    assert_eq!(told(&waiting, "Answer it, then roll back").len(), 1, "{:#?}", waiting.simulator.messages());
    // What waits can be halted.
    let said = waiting.types(ANNA, "halt orders").await;
    assert!(said.contains(&format!("Asked to halt Production/{}", waiting.execution)), "{said}");
    waiting.minutes(2).await;
    let stopped = waiting.simulator.effects("StopPipelineExecution");
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    assert_eq!(stopped[0]["pipelineExecutionId"], json!(waiting.execution));
}

/// A stage that deploys through a group, both of which the policy names; a hook of the group asks. The commit is Anna's.
async fn in_the_group() -> Waiting {
    let group = "deployed_by: [ { codedeploy: { application: orders, deployment_group: prod } }, ";
    let hooks = "    hooks: { BeforeAllowTraffic: [ { approval: { within: 45m, otherwise: fail } } ] }\n    approvers";
    let policy = POLICY.replace("deployed_by: [ ", group).replace("    approvers", hooks);
    let source = Action::source("Source").finding("AuthorEmail", "anna@example.com");
    let pipeline = Pipeline::v2("release").stage(Stage::of("Source", source)).stage(Stage::deploy(
        "Production",
        "orders",
        "prod",
    ));
    let group = Group::ecs("orders", "prod").shifting(canary()).baseline("v0");
    Waiting::under(&policy, pipeline, Some(group.hook("BeforeAllowTraffic", "lifecycle-hooks"))).await
}

impl Waiting {
    /// Somebody approves what waits for a person.
    async fn approves_what_waits(&self, user: &str) {
        let waits = |card: &SlackMessage| card.text.contains("waits for a person");
        let card = self.cards().into_iter().find(waits);
        let card = card.unwrap_or_else(|| panic!("nothing waits: {:#?}", self.cards()));
        let event = self.presses_on(&card, user, "Approve", None);
        self.simulator.request("chat-actions", &event).await.unwrap();
    }
}

#[tokio::test]
async fn who_wrote_the_pipelines_commit_does_not_approve_it_in_its_group() {
    const ANSWERS: &str = "PutLifecycleEventHookExecutionStatus";
    let waiting = in_the_group().await.starts("v2").await;
    waiting.minutes(3).await;
    // While nobody knows who made it, nobody lets it go on.
    waiting.simulator.fault("ListActionExecutions", Fault::InternalError, 1_000);
    waiting.approves_what_waits(ANNA).await;
    waiting.minutes(2).await;
    assert_eq!(waiting.simulator.effects(ANSWERS), Vec::<Value>::new());
    assert_eq!(waiting.whispers(ANNA), Vec::<String>::new());
    waiting.simulator.clear_faults();
    waiting.minutes(2).await;
    assert_eq!(waiting.simulator.effects(ANSWERS), Vec::<Value>::new());
    let told = waiting.whispers(ANNA);
    assert!(told.len() == 1 && told[0].contains("This release is your own"), "{told:?}");
    waiting.approves_what_waits(BOB).await;
    waiting.minutes(1).await;
    assert_eq!(waiting.simulator.effects(ANSWERS).len(), 1);
}

#[tokio::test]
async fn what_was_deployed_past_the_pipeline_is_nobodys_commit_in_it() {
    let waiting = in_the_group().await;
    waiting.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
    waiting.minutes(5).await;
    waiting.approves_what_waits(ANNA).await;
    waiting.minutes(1).await;
    assert_eq!(waiting.whispers(ANNA), Vec::<String>::new());
    assert_eq!(waiting.simulator.effects("PutLifecycleEventHookExecutionStatus").len(), 1);
}
