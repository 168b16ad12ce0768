//! One Belay guards services of other accounts: each with its role, none in the place of another.

use std::time::Duration;

use belay::{
    policy::Policy,
    settings::Settings,
    start::{Guards, Patience},
};
use belay_tests::{
    Alarm, AlarmState, Behaviour, Call, DeliverySettings, Simulator, Workload,
    stage::functions::{self, EXTERNAL_ID, REGION, TABLE, TOPIC},
};
use serde_json::{Value, json};

use crate::a_release_is_guarded::{Story, lambda, noon};
use crate::people_in_chat::ANNA;

const MEMBER: &str = "222222222222";
const ROLE: &str = "arn:aws:iam::222222222222:role/belay-workload";

/// `orders` in Belay's own account and `basket` in another, both released to `orders`/`prod` and watched by alarms of the
/// same names.
const POLICY: &str = "version: 1
services:
  orders:
    deployed_by: [ { codedeploy: { application: orders, deployment_group: prod } } ]
    alarms: { orders-5xx: roll_back }
  basket:
    account_role: arn:aws:iam::222222222222:role/belay-workload
    deployed_by: [ { codedeploy: { application: orders, deployment_group: prod } } ]
    alarms: { orders-5xx: roll_back, orders-latency: roll_back }
";

const TALKED: &str = "version: 1
services:
  basket:
    account_role: arn:aws:iam::222222222222:role/belay-workload
    deployed_by: [ { codedeploy: { application: orders, deployment_group: prod } } ]
    alarms: { orders-5xx: ask }
    ask: { within: 15m, otherwise: keep }
    approvers: [ U02ANNA ]
    chat: { slack: C0ORDERS01 }
";

fn set_up(simulator: &Simulator) {
    simulator.create_group(lambda());
    let workload = Workload::steady(6_000.0).revision("v2", Behaviour::failing(0.2));
    simulator.set_workload("prod", workload);
    for alarm in ["orders-5xx", "orders-latency"] {
        simulator.create_alarm(Alarm::scripted(alarm));
    }
}

/// Two accounts with the same names in them, and a release in each: Belay's own, the other's.
async fn story(policy: &str) -> (Story, String, String) {
    let simulator = Simulator::start(noon()).await;
    set_up(&simulator);
    simulator.in_account(MEMBER, set_up);
    functions::install(&simulator, Policy::parse(policy).unwrap());
    let story = Story { simulator };
    let own = story.release();
    let other = story.simulator.in_account(MEMBER, |_| story.release());
    (story, own, other)
}

/// Whatever is given from now on has expired: no process keeps it.
fn forget_credentials(story: &Story) {
    story.simulator.sessions_expire("2026-01-01T00:00:00Z".parse().unwrap());
}

impl Story {
    fn red_in(&self, account: &str, alarm: &str) {
        self.simulator.in_account(account, |_| self.red(alarm));
    }

    fn assumed(&self) -> Vec<Call> {
        self.simulator.calls("AssumeRole")
    }

    /// By whom each deployment was stopped.
    fn stopped_by(&self) -> Vec<(Value, Option<String>)> {
        let stops = self.simulator.calls("StopDeployment").into_iter().filter(|call| call.changed);
        stops.map(|call| (call.input["deploymentId"].clone(), call.by)).collect()
    }

    fn failures(&self) -> Vec<String> {
        let timeline = self.simulator.timeline().into_iter();
        let failed = timeline.filter_map(|happening| match happening.what {
            belay_tests::What::Invoked { result: Err(error), .. } => Some(error),
            _ => None,
        });
        failed.collect()
    }
}

#[tokio::test]
async fn a_release_of_another_account_is_taken_back_with_its_role_and_the_namesake_is_left_alone() {
    let (story, own, other) = story(POLICY).await;
    story.minutes(2).await;
    story.red_in(MEMBER, "orders-5xx");
    story.minutes(5).await;
    assert_eq!(story.stopped_by(), [(json!(other), Some(ROLE.to_owned()))]);
    assert_eq!(story.simulator.deployment(&own).status.name(), "InProgress");
    let rolled_back = story.simulator.in_account(MEMBER, |simulator| simulator.traffic("prod").old_label);
    assert_eq!(rolled_back, "v1");
    assert_eq!(story.failures(), Vec::<String>::new());
    let told = story.messages();
    let taken = told.iter().find(|told| told["content"]["title"].as_str().unwrap().contains("taking back"));
    let text = taken.unwrap()["content"]["description"].as_str().unwrap();
    assert!(text.contains(&format!("Deployment {other} (account {MEMBER})")), "{text}");
    // One role for one function, however many events and clients; and whose credentials they were given for.
    let functions: Vec<Option<String>> = story.assumed().into_iter().map(|call| call.by).collect();
    let mut each = functions.clone();
    each.sort();
    each.dedup();
    assert_eq!(each.len(), functions.len(), "{functions:?}");
    let asked = &story.assumed()[0].input;
    assert_eq!((&asked["RoleArn"], &asked["ExternalId"]), (&json!(ROLE), &json!(EXTERNAL_ID)));
    assert_eq!(asked["RoleSessionName"], json!("belay"));
    let in_member = story.simulator.journal().into_iter().filter(|call| call.by.as_deref() == Some(ROLE));
    assert!(in_member.clone().count() > 5);
    for call in in_member {
        assert!(functions.contains(&call.through), "{call:?}");
    }
}

#[tokio::test]
async fn our_own_release_is_taken_back_with_our_own_credentials_and_no_role_is_assumed() {
    let simulator = Simulator::start(noon()).await;
    set_up(&simulator);
    functions::install(&simulator, Policy::parse(POLICY).unwrap());
    let story = Story { simulator };
    let own = story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.minutes(5).await;
    assert_eq!(story.stopped_by(), [(json!(own), Some("alarm-transitions".to_owned()))]);
    assert!(story.assumed().is_empty());
}

#[tokio::test]
async fn the_same_alarm_in_both_accounts_takes_back_one_release_in_each() {
    let (story, own, other) = story(POLICY).await;
    story.minutes(2).await;
    story.red("orders-5xx");
    story.red_in(MEMBER, "orders-5xx");
    story.minutes(5).await;
    let mut stopped = story.stopped_by();
    stopped.sort_by_key(|(id, _)| id.to_string());
    let mut expected =
        [(json!(own), Some("alarm-transitions".to_owned())), (json!(other), Some(ROLE.to_owned()))];
    expected.sort_by_key(|(id, _)| id.to_string());
    assert_eq!(stopped, expected);
}

#[tokio::test]
async fn a_role_that_is_refused_has_people_asked_and_nothing_done() {
    for wrong_id in [false, true] {
        let (story, ..) = story(POLICY).await;
        forget_credentials(&story);
        story.minutes(2).await;
        let (refused, stopped) = (story.failures().len(), story.stops().len());
        if wrong_id {
            story.simulator.create_role(ROLE, "another-external-id");
        } else {
            story.simulator.delete_role(ROLE);
        }
        story.red_in(MEMBER, "orders-5xx");
        story.minutes(8).await;
        assert!(story.failures().len() > refused);
        assert_eq!(story.stops().len(), stopped);
        let told: Vec<String> = story.messages().iter().map(Value::to_string).collect();
        let asked = told.iter().find(|text| text.contains("is not authorized to perform: sts:AssumeRole"));
        let asked = asked.unwrap_or_else(|| panic!("{told:#?}"));
        assert!(asked.contains(ROLE) && asked.contains("BELAY_EXTERNAL_ID"), "{asked}");
    }
}

#[tokio::test]
async fn an_event_of_an_unknown_account_or_another_region_is_refused_by_name() {
    let (story, own, _) = story(POLICY).await;
    story.minutes(1).await;
    for (from, to, said) in [
        ("123456789012", "333333333333", "account 333333333333, which is neither Belay's own (123456789012)"),
        ("us-east-1", "eu-west-1", "about the region eu-west-1, and this Belay guards us-east-1"),
    ] {
        let before = story.failures().len();
        for (function, event) in [
            ("alarm-transitions", crate::the_sweep::event_of("orders-5xx", story.simulator.now())),
            (
                "pipeline-events",
                json!({
                    "source": "aws.codedeploy", "time": "2026-03-05T12:00:30Z",
                    "detail-type": "CodeDeploy Deployment State-change Notification",
                    "account": "123456789012", "region": "us-east-1", "resources": [],
                    "detail": {
                        "deploymentId": own, "application": "orders", "deploymentGroup": "prod", "state": "SUCCESS",
                    },
                }),
            ),
        ] {
            let event = event.to_string().replace(from, to);
            story.simulator.send(function, event.as_bytes());
        }
        story.simulator.deliver_due().await;
        let refused = story.failures().split_off(before);
        assert_eq!(refused.len(), 2, "{refused:?}");
        for refused in refused {
            assert!(refused.starts_with("NotForUs: ") && refused.contains(said), "{refused}");
            assert!(refused.contains("remove the forwarding"), "{refused}");
        }
    }
    assert!(story.stops().is_empty());
}

#[tokio::test]
async fn the_sweep_finds_an_alarm_of_another_account_that_no_event_told_of() {
    let (story, own, other) = story(POLICY).await;
    story.minutes(2).await;
    story.simulator.set_delivery(DeliverySettings { lose: 1.0, ..DeliverySettings::default() });
    story.red_in(MEMBER, "orders-5xx");
    story.minutes(4).await;
    assert_eq!(story.stopped_by(), [(json!(other), Some(ROLE.to_owned()))]);
    assert_eq!(story.simulator.deployment(&own).status.name(), "InProgress");
    let calls = story.simulator.calls("StopDeployment");
    assert_eq!(calls[0].through.as_deref(), Some("sweep"));
}

#[tokio::test]
async fn an_account_that_cannot_be_reached_keeps_the_sweep_from_no_other() {
    let (story, own, _) = story(POLICY).await;
    forget_credentials(&story);
    story.minutes(2).await;
    story.simulator.delete_role(ROLE);
    story.simulator.set_delivery(DeliverySettings { lose: 1.0, ..DeliverySettings::default() });
    story.red("orders-5xx");
    story.minutes(4).await;
    assert_eq!(story.stopped_by(), [(json!(own), Some("sweep".to_owned()))]);
}

#[tokio::test]
async fn a_button_and_a_command_take_back_a_release_of_another_account() {
    for command in [false, true] {
        let simulator = Simulator::start(noon()).await;
        simulator.in_account(MEMBER, set_up);
        functions::install(&simulator, Policy::parse(TALKED).unwrap());
        let story = Story { simulator };
        let other = story.simulator.in_account(MEMBER, |_| story.release());
        story.minutes(2).await;
        if command {
            let told = story.types(ANNA, "rollback basket").await;
            assert!(told.contains("Asked to"), "{told}");
        } else {
            story.red_in(MEMBER, "orders-5xx");
            story.minutes(1).await;
            story.press(ANNA, "Roll back").await;
        }
        story.minutes(2).await;
        assert_eq!(story.stopped_by(), [(json!(other), Some(ROLE.to_owned()))], "command: {command}");
        let hand_offs = story.simulator.calls("Invoke");
        assert!(hand_offs.iter().all(|call| call.by.as_deref() == Some("chat-actions")), "{hand_offs:?}");
    }
}

#[tokio::test]
async fn credentials_are_asked_for_again_once_they_have_expired() {
    let simulator = Simulator::start(noon()).await;
    simulator.in_account(MEMBER, set_up);
    functions::install(&simulator, Policy::parse(POLICY).unwrap());
    let story = Story { simulator };
    forget_credentials(&story);
    let other = story.simulator.in_account(MEMBER, |_| story.release());
    story.simulator.advance(Duration::from_secs(90)).await;
    story.red_in(MEMBER, "orders-5xx");
    story.minutes(2).await;
    assert_eq!(story.stopped_by(), [(json!(other), Some(ROLE.to_owned()))]);
    assert!(story.assumed().len() > 5, "{}", story.assumed().len());
    assert_eq!(
        story.simulator.in_account(MEMBER, |simulator| simulator.alarm_state("orders-5xx")),
        AlarmState::Alarm
    );
}

#[tokio::test]
async fn a_role_in_belays_own_account_is_refused_at_its_first_event() {
    let simulator = Simulator::start(noon()).await;
    set_up(&simulator);
    functions::install(&simulator, Policy::parse(&POLICY.replace(MEMBER, "123456789012")).unwrap());
    let story = Story { simulator };
    story.release();
    story.red("orders-5xx");
    story.minutes(1).await;
    assert!(story.failures().iter().all(|failure| failure.contains("Remove that `account_role`")));
    assert!(!story.failures().is_empty() && story.stops().is_empty());
}

#[test]
fn a_policy_with_a_role_does_not_start_without_an_external_id() {
    let mut settings = Settings {
        policy: "belay.yaml".into(),
        ledger_table: TABLE.to_owned(),
        topic_arn: TOPIC.to_owned(),
        region: REGION.to_owned(),
        chat: None,
        external_id: None,
    };
    let connection = functions::sdk_config("http://127.0.0.1:1", "sweep");
    let start = |policy: &str, settings: &Settings| {
        let policy = Policy::parse(policy).unwrap();
        Guards::of(policy, &connection, settings, Patience::default()).map_err(|error| error.to_string())
    };
    let told = start(POLICY, &settings).unwrap_err();
    assert!(told.contains("has `account_role` for basket, and BELAY_EXTERNAL_ID is not set"), "{told}");
    settings.external_id = Some(EXTERNAL_ID.to_owned());
    assert!(start(POLICY, &settings).is_ok());
    let own = "version: 1
services:
  orders:
    deployed_by: [ { codedeploy: { application: orders, deployment_group: prod } } ]
    alarms: { orders-5xx: roll_back }
";
    assert!(start(own, &settings).is_ok());
}
