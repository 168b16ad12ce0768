//! Stacks that drift: told once per change of state, whatever becomes of the events on their way.

use std::time::Duration;

use belay::policy::Policy;
use belay_tests::{
    DeliverySettings, Difference, Fault, Resource, Simulator, Stack, What,
    stage::functions::{self, invocation},
};
use serde_json::Value;

use crate::a_release_is_guarded::{Story, lambda, noon};

const POLICY: &str = "version: 1
drift: { stacks: [ \"prod-*\" ] }
services:
  orders:
    deployed_by: [ { codedeploy: { application: orders, deployment_group: prod } } ]
    alarms: { orders-5xx: roll_back }
";

const ALIAS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";

fn queue() -> Resource {
    Resource::new("Queue", "AWS::SQS::Queue", "https://sqs.us-east-1.amazonaws.com/123456789012/orders")
}

fn orders() -> Stack {
    Stack::new("prod-orders").resource(queue()).resource(Resource::new("Alias", "AWS::Lambda::Alias", ALIAS))
}

fn differs(path: &str, actual: &str) -> Difference {
    Difference::Property {
        path: path.to_owned(),
        kind: "NOT_EQUAL".to_owned(),
        expected: "30".to_owned(),
        actual: actual.to_owned(),
    }
}

async fn story(stacks: Vec<Stack>) -> Story {
    let story = Story::without_functions(lambda(), noon()).await;
    functions::install(&story.simulator, Policy::parse(POLICY).unwrap());
    for stack in stacks {
        story.simulator.create_stack(stack);
    }
    story
}

/// A look at all stacks, and what comes of it.
async fn look(story: &Story) {
    story.simulator.ring("stack-drift");
    story.minutes(3).await;
}

/// So long nothing happens; not even the sweep runs.
fn pass(simulator: &Simulator, hours: u64) {
    simulator.step(Duration::from_secs(3_600 * hours));
    simulator.take_deliveries();
}

fn told(story: &Story) -> Vec<String> {
    story.titles().into_iter().filter(|title| title.starts_with("Stack ")).collect()
}

fn text(story: &Story) -> String {
    let texts = story.messages().into_iter().map(|message| message["content"]["description"].to_string());
    texts.collect::<Vec<_>>().join("\n")
}

/// The events that detections have ended, as AWS announced them.
fn ends(story: &Story) -> Vec<Value> {
    let all = story.simulator.announced().into_iter();
    all.filter(|(_, function)| *function == Some("stack-drift")).map(|(event, _)| event).collect()
}

#[tokio::test]
async fn each_change_of_a_stacks_state_is_told_once_and_nothing_else_is() {
    let story = story(vec![orders()]).await;
    story.simulator.set_delivery(DeliverySettings {
        duplicates: 2,
        shuffle: true,
        seed: 7,
        ..DeliverySettings::default()
    });
    look(&story).await;
    assert_eq!(told(&story), [] as [&str; 0], "in sync from the beginning");
    story.simulator.drift_resource("prod-orders", "Queue", differs("/VisibilityTimeout", "3"));
    look(&story).await;
    look(&story).await;
    let drifted = "Stack prod-orders has drifted: 1 resource";
    assert_eq!(told(&story), [drifted]);
    assert!(text(&story).contains("/VisibilityTimeout: 30 in the template → 3 now."), "{}", text(&story));
    assert!(!text(&story).contains("undo"), "nothing is said of what is not known: {}", text(&story));
    // Otherwise than before.
    story.simulator.drift_resource("prod-orders", "Queue", differs("/VisibilityTimeout", "4"));
    look(&story).await;
    assert_eq!(told(&story), [drifted, drifted]);
    assert!(text(&story).contains("It was otherwise when it was told of at"));
    story.simulator.mend_resource("prod-orders", "Queue");
    look(&story).await;
    look(&story).await;
    let mended = "Stack prod-orders is as its template says again";
    assert_eq!(told(&story), [drifted, drifted, mended]);
    // The same again is another change.
    story.simulator.drift_resource("prod-orders", "Queue", differs("/VisibilityTimeout", "4"));
    look(&story).await;
    assert_eq!(told(&story), [drifted, drifted, mended, drifted]);
    assert_eq!(story.simulator.dead_letters(), []);
}

#[tokio::test]
async fn what_codedeploy_moves_is_no_drift() {
    let story = story(vec![orders()]).await;
    story.simulator.drift_resource("prod-orders", "Alias", differs("/FunctionVersion", "42"));
    story.simulator.drift_resource(
        "prod-orders",
        "Alias",
        differs("/RoutingConfig/AdditionalVersionWeights/0", "0.1"),
    );
    look(&story).await;
    assert_eq!(told(&story), [] as [&str; 0]);
    story.simulator.drift_resource("prod-orders", "Alias", differs("/Description", "by hand"));
    look(&story).await;
    assert_eq!(told(&story), ["Stack prod-orders has drifted: 1 resource"]);
    assert!(!text(&story).contains("FunctionVersion"), "{}", text(&story));
}

#[tokio::test]
async fn an_event_that_comes_after_a_later_one_changes_nothing() {
    let story = story(vec![orders()]).await;
    story.simulator.drift_resource("prod-orders", "Queue", differs("/VisibilityTimeout", "3"));
    look(&story).await;
    story.simulator.mend_resource("prod-orders", "Queue");
    look(&story).await;
    let before = told(&story);
    assert_eq!(before.len(), 2);
    let old = ends(&story)[0].to_string();
    // What the old event is about is not there any more; had it been asked for, it would have been the new state.
    story.simulator.drift_resource("prod-orders", "Queue", differs("/VisibilityTimeout", "9"));
    story.simulator.send("stack-drift", old.as_bytes());
    story.minutes(1).await;
    assert_eq!(told(&story), before);
    assert!(
        story
            .decisions()
            .iter()
            .any(|one| one.reasons.iter().any(|why| why.contains("this event came late")))
    );
}

#[tokio::test]
async fn a_detection_whose_end_nobody_announced_is_finished_by_the_next_look() {
    let story = story(vec![orders()]).await;
    story.simulator.set_delivery(DeliverySettings { lose: 1.0, ..DeliverySettings::default() });
    story.simulator.drift_resource("prod-orders", "Queue", Difference::Deleted);
    look(&story).await;
    assert_eq!(told(&story), [] as [&str; 0]);
    assert_eq!(
        story.simulator.calls("DescribeStackDriftDetectionStatus").len(),
        0,
        "nobody asks how far it is"
    );
    pass(&story.simulator, 24);
    look(&story).await;
    assert_eq!(told(&story), ["Stack prod-orders has drifted: 1 resource"]);
    assert!(text(&story).contains("Queue (AWS::SQS::Queue) was deleted"));
    assert_eq!(
        story.simulator.effects("DetectStackDrift").len() + story.simulator.calls("DetectStackDrift").len(),
        2
    );
}

#[tokio::test]
async fn a_detection_that_does_not_end_for_a_day_is_told_once() {
    let forever = Duration::from_secs(3_600 * 24 * 30);
    let story = story(vec![orders().detected_in(forever)]).await;
    look(&story).await;
    for _ in 0..2 {
        pass(&story.simulator, 24);
        look(&story).await;
    }
    assert_eq!(told(&story), ["Stack prod-orders could not be checked for drift"]);
    assert!(text(&story).contains("has not ended"), "{}", text(&story));
    assert_eq!(story.simulator.calls("DetectStackDrift").len(), 1);
}

#[tokio::test]
async fn what_could_be_checked_is_told_when_a_detection_fails() {
    let story = story(vec![orders()]).await;
    let denied =
        "User: arn:aws:sts::123456789012:assumed-role/belay is not authorized to perform: lambda:GetAlias";
    story.simulator.drift_resource("prod-orders", "Alias", Difference::Unreadable(denied.to_owned()));
    story.simulator.drift_resource("prod-orders", "Queue", differs("/VisibilityTimeout", "3"));
    look(&story).await;
    look(&story).await;
    assert_eq!(told(&story), ["Stack prod-orders has drifted: 1 resource"]);
    let text = text(&story);
    assert!(text.contains("/VisibilityTimeout") && text.contains("lambda:GetAlias"), "{text}");
}

#[tokio::test]
async fn three_hundred_stacks_are_looked_at_few_at_a_time() {
    let mut stacks: Vec<Stack> =
        (0..300).map(|number| Stack::new(&format!("prod-{number:03}")).resource(queue())).collect();
    stacks.extend((0..20).map(|number| Stack::new(&format!("test-{number:02}")).resource(queue())));
    let story = story(stacks).await;
    story.simulator.drift_resource("prod-299", "Queue", Difference::Deleted);
    story.simulator.drift_resource("test-00", "Queue", Difference::Deleted);
    story.simulator.ring("stack-drift");
    story.minutes(25).await;
    let begun: Vec<_> =
        story.simulator.calls("DetectStackDrift").into_iter().filter(|call| call.outcome.is_ok()).collect();
    assert_eq!(begun.len(), 300);
    assert!(begun.iter().all(|call| call.input["StackName"].as_str().unwrap().contains(":stack/prod-")));
    // Each takes 30 seconds.
    let most = begun.iter().map(|call| {
        let while_it_ran = |other: &&belay_tests::Call| {
            other.at <= call.at && call.at.duration_since(other.at).as_secs() < 30
        };
        begun.iter().filter(while_it_ran).count()
    });
    assert_eq!(most.max(), Some(10));
    assert_eq!(told(&story), ["Stack prod-299 has drifted: 1 resource"]);
    assert_eq!(story.simulator.calls("ListStacks").len(), 4, "in pages of a hundred");
    assert_eq!(story.simulator.dead_letters(), []);
}

#[tokio::test]
async fn a_throttled_look_goes_on_later_and_loses_no_stack() {
    let story = story((0..12).map(|number| Stack::new(&format!("prod-{number:02}"))).collect()).await;
    // The first attempts of everything, with the SDK's own repetitions.
    story.simulator.fault("DetectStackDrift", Fault::Throttle, 3);
    story.simulator.ring("stack-drift");
    story.simulator.advance(Duration::from_secs(50)).await;
    let tried = story.simulator.calls("DetectStackDrift");
    assert!(tried.len() == 3 && tried.iter().all(|call| call.outcome.is_err()), "politely: {tried:?}");
    story.minutes(5).await;
    let begun = story.simulator.calls("DetectStackDrift");
    assert_eq!(begun.iter().filter(|call| call.outcome.is_ok()).count(), 12);
    assert_eq!(told(&story), [] as [&str; 0], "and nobody is bothered with it");
    assert_eq!(story.simulator.dead_letters(), []);
}

#[tokio::test]
async fn a_stack_that_may_not_be_looked_at_is_told_once_and_keeps_nothing_from_the_others() {
    let story = story(vec![
        Stack::new("prod-denied").denied(),
        Stack::new("prod-failed").status("ROLLBACK_COMPLETE"),
        orders(),
    ])
    .await;
    story.simulator.drift_resource("prod-orders", "Queue", Difference::Deleted);
    look(&story).await;
    look(&story).await;
    let mut titles = told(&story);
    titles.sort_unstable();
    assert_eq!(
        titles,
        [
            "Stack prod-denied could not be checked for drift",
            "Stack prod-failed could not be checked for drift",
            "Stack prod-orders has drifted: 1 resource",
        ]
    );
    let text = text(&story);
    assert!(text.contains("is not authorized to perform: cloudformation:DetectStackDrift"), "{text}");
    assert!(text.contains("ROLLBACK_COMPLETE"), "{text}");
}

#[tokio::test]
async fn a_stack_that_changes_right_now_is_tried_again_and_told_of_after_a_day_only() {
    let story = story(vec![orders().status("UPDATE_IN_PROGRESS")]).await;
    look(&story).await;
    look(&story).await;
    assert_eq!(told(&story), [] as [&str; 0]);
    pass(&story.simulator, 24);
    look(&story).await;
    assert_eq!(told(&story), ["Stack prod-orders could not be checked for drift"]);
    assert!(text(&story).contains("it was UPDATE_IN_PROGRESS"), "{}", text(&story));
    story.simulator.set_stack_status("prod-orders", "UPDATE_COMPLETE");
    look(&story).await;
    assert_eq!(told(&story)[1..], ["Stack prod-orders is as its template says again"]);
}

#[tokio::test]
async fn no_secret_is_told_or_stored() {
    let story = story(vec![orders()]).await;
    let secrets = ["hunter2-in-clear", "AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdefghijklmnop"];
    for (path, secret) in
        ["/Environment/Variables/ANYTHING", "/Tags/0/Value", "/Policy"].into_iter().zip(secrets)
    {
        story.simulator.drift_resource("prod-orders", "Queue", differs(path, secret));
    }
    let why = format!("could not log in with password={}", secrets[0]);
    story.simulator.drift_resource("prod-orders", "Alias", Difference::Unreadable(why));
    look(&story).await;
    assert_eq!(told(&story).len(), 1);
    let everything = format!("{} {:?}", text(&story), story.simulator.table(functions::TABLE));
    assert!(everything.contains("[masked]"));
    for secret in secrets {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
    let answers = story.simulator.timeline().into_iter().filter_map(|happening| match happening.what {
        What::Invoked { result, .. } => Some(result.unwrap_or_else(|error| error)),
        _ => None,
    });
    let answers: String = answers.collect();
    assert!(secrets.iter().all(|secret| !answers.contains(secret)), "{answers}");
}

#[tokio::test]
async fn what_is_not_this_functions_is_refused_or_left_alone() {
    let story = Story::without_functions(lambda(), noon()).await;
    story.simulator.create_ledger_table(functions::TABLE);
    story.simulator.create_topic("belay");
    let guards =
        functions::guards(&story.simulator.endpoint(), Policy::parse(POLICY).unwrap(), "stack-drift");
    let handle = |payload: String| {
        let (guards, now) = (guards.clone(), story.simulator.now());
        async move { stack_drift::handle(&guards, payload.as_bytes(), invocation("request-1", now)).await }
    };
    let sample = include_str!("../fixtures/cloudformation/cloudformation-drift-complete.json").to_owned();
    // The policy does not name the stack `orders`, and CloudFormation is asked nothing.
    let answer = handle(sample.clone()).await.unwrap();
    assert_eq!(answer["outcomes"][0]["verdict"], "Ignore", "{answer}");
    assert_eq!(story.simulator.calls("DescribeStackResourceDrifts").len(), 0);
    for (payload, kind) in [
        (sample.replace("123456789012", "999999999999"), "NotForUs"),
        (sample.replace("us-east-1", "eu-west-1"), "NotForUs"),
        (
            include_str!("../fixtures/cloudformation/cloudformation-drift-in-progress.json").to_owned(),
            "NotForUs",
        ),
        (sample.replace("DETECTION_COMPLETE", "SOMETHING"), "MalformedEvent"),
        ("{}".to_owned(), "NotForUs"),
    ] {
        assert_eq!(handle(payload.clone()).await.unwrap_err().kind, kind, "{payload}");
    }
}
