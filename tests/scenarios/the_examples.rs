//! The examples: what belay.yaml names is what their templates make, and their AppSpecs ask Belay's function at the
//! events that belay.yaml has checks for. Nothing of them is deployed here; cfn-lint and checkov read them in the gate.

use std::{collections::BTreeSet, fs, path::Path};

use belay::{
    policy::{Missing, Policy, Service},
    release::{AlarmName, LifecycleEvent, Place},
};
use belay_tests::stage::{deployed, template::Template};
use serde_json::{Map, Value};

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The resources of an example's template, as they are written: what matters here is written without functions.
fn resources(path: &str) -> Map<String, Value> {
    Template::read(&text(path)).unwrap_or_else(|why| panic!("{path}: {why}")).section("Resources")
}

fn policy(path: &str) -> Policy {
    Policy::parse(&text(path)).unwrap_or_else(|mistakes| panic!("{path}: {mistakes}"))
}

fn only(policy: &Policy) -> &Service {
    let mut services = policy.services();
    let service = services.next().expect("a service");
    assert!(services.next().is_none(), "one service each");
    service
}

fn of_type<'a>(resources: &'a Map<String, Value>, kind: &str) -> Vec<&'a Value> {
    let found = resources.values().filter(|resource| resource["Type"] == kind);
    found.map(|resource| &resource["Properties"]).collect()
}

fn one<'a>(resources: &'a Map<String, Value>, kind: &str) -> &'a Value {
    let found = of_type(resources, kind);
    assert_eq!(found.len(), 1, "one {kind}");
    found[0]
}

fn alarms(resources: &Map<String, Value>) -> Vec<&Value> {
    of_type(resources, "AWS::CloudWatch::Alarm")
}

/// The lifecycle events that an AppSpec asks at, in its order, and whom.
fn hooks(path: &str) -> Vec<(String, String)> {
    let appspec: Value = serde_saphyr::from_str(&text(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
    let hooks = appspec.get("Hooks").or_else(|| appspec.get("hooks")).expect("hooks");
    let pair = |hook: &Value| {
        let (event, function) = hook.as_object().unwrap().iter().next().unwrap();
        (event.clone(), function.as_str().unwrap().to_owned())
    };
    hooks.as_array().unwrap().iter().map(pair).collect()
}

fn names(example: &str) {
    let policy = policy(&format!("{example}/belay.yaml"));
    let service = only(&policy);
    let stack = resources(&format!("{example}/service.yaml"));

    let made: BTreeSet<AlarmName> =
        alarms(&stack).into_iter().map(|alarm| alarm["AlarmName"].as_str().unwrap().into()).collect();
    for watched in service.alarms.iter().filter(|watched| watched.pattern.is_exact()) {
        let name = AlarmName::from(watched.pattern.as_str());
        assert!(made.contains(&name), "{example}: belay.yaml watches {name}, and service.yaml makes none");
    }
    for alarm in &made {
        assert!(service.watched(alarm).is_some(), "{example}: nothing watches {alarm}");
    }
    for alarm in alarms(&stack) {
        let watched = service.watched(&alarm["AlarmName"].as_str().unwrap().into()).unwrap();
        let counts = alarm["TreatMissingData"] == "missing" && watched.missing == Missing::Alarm;
        let quiet = alarm["TreatMissingData"] == "notBreaching" && watched.missing == Missing::Ignore;
        assert!(counts || quiet, "{example}: what no data means differs: {alarm}");
    }

    let asked = hooks(&format!("{example}/appspec.yaml"));
    let checked: BTreeSet<&str> = service.hooks.keys().map(LifecycleEvent::as_str).collect();
    let events: BTreeSet<&str> = asked.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, checked, "{example}: AppSpec and belay.yaml name the same lifecycle events");
    let ours = deployed::stack().outputs["HookFunction"].clone();
    for (event, function) in &asked {
        assert_eq!(ours, function.as_str(), "{example}: {event} asks the function of Belay's stack");
    }

    let application = &one(&stack, "AWS::CodeDeploy::Application")["ApplicationName"];
    let group = one(&stack, "AWS::CodeDeploy::DeploymentGroup");
    let named = service.deployed_by.iter().any(|place| match place {
        Place::Group(place) => {
            *application == place.application.as_str() && group["DeploymentGroupName"] == place.group.as_str()
        }
        Place::Stage(_) => false,
    });
    assert!(named, "{example}: belay.yaml names the deployment group of service.yaml");
    let events = group["AutoRollbackConfiguration"]["Events"].to_string();
    assert!(
        !events.contains("STOP_ON_REQUEST"),
        "{example}: what Belay halts would be rolled back: {events}"
    );
}

/// The stages of an example's pipeline.
fn stages(pipeline: &Value) -> Vec<(&str, &Value)> {
    let stages = pipeline["Stages"].as_array().unwrap();
    stages.iter().map(|stage| (stage["Name"].as_str().unwrap(), stage)).collect()
}

#[test]
fn ecs_is_guarded_under_the_names_that_it_has() {
    names("ecs");
    let (policy, stack) = (policy("ecs/belay.yaml"), resources("ecs/pipeline.yaml"));
    let pipeline = one(&stack, "AWS::CodePipeline::Pipeline");
    let Some(Place::Stage(stage)) =
        only(&policy).deployed_by.iter().find(|place| matches!(place, Place::Stage(_)))
    else {
        panic!("the stage is named")
    };
    assert_eq!(pipeline["Name"], stage.pipeline.as_str());
    let stages = stages(pipeline);
    let at = |wanted: &str| stages.iter().position(|(name, _)| *name == wanted);
    let production = at(&stage.stage).expect("the stage that belay.yaml names");
    assert!(at("Approval").expect("an approval") < production, "somebody approves before production");
    let deploy = stages[production].1["Actions"].as_array().unwrap();
    let deploy = deploy.iter().find(|action| action["ActionTypeId"]["Provider"] == "CodeDeployToECS");
    let group = &deploy.expect("an action that deploys")["Configuration"];
    assert_eq!(
        (&group["ApplicationName"], &group["DeploymentGroupName"]),
        (&"checkout".into(), &"prod".into())
    );
}

#[test]
fn lambda_is_guarded_under_the_names_that_it_has() {
    names("lambda");
    let policy = policy("lambda/belay.yaml");
    // CodePipeline cannot tell that its stage deploys through the group, so one alarm would be judged in two places.
    assert!(only(&policy).deployed_by.iter().all(|place| matches!(place, Place::Group(_))));
}

#[test]
fn both_pipelines_roll_back_a_failed_stage_but_not_what_belay_takes_back() {
    for example in ["ecs", "lambda"] {
        let stack = resources(&format!("{example}/pipeline.yaml"));
        let pipeline = one(&stack, "AWS::CodePipeline::Pipeline");
        assert_eq!(pipeline["PipelineType"], "V2", "{example}");
        assert_ne!(
            pipeline["ExecutionMode"], "PARALLEL",
            "{example}: a stage cannot be rolled back in parallel mode"
        );
        let stages = stages(pipeline);
        let (_, last) = stages.last().unwrap();
        let condition = last["OnFailure"].to_string();
        assert!(condition.contains(r#""Result":"ROLLBACK""#), "{example}: {condition}");
        // What CodeDeploy or Belay takes back already must not be rolled back once more.
        let mark = belay::release::undo_description(&"".into());
        let mark = mark.split('/').next().unwrap();
        assert!(condition.contains(mark), "{example}: it knows Belay's own deployments by {mark:?}");
    }
}

#[test]
fn a_service_of_another_account_is_guarded_by_the_same_alarms() {
    let (there, here) = (policy("cross-account/belay.yaml"), policy("ecs/belay.yaml"));
    let names = |policy: &Policy| -> Vec<String> {
        only(policy).alarms.iter().map(|watched| watched.pattern.as_str().to_owned()).collect()
    };
    assert_eq!(names(&there), names(&here));
}

#[test]
fn no_example_marks_every_release_as_not_to_be_rolled_back() {
    for example in ["ecs", "lambda"] {
        assert_eq!(belay::release::no_rollback(&text(&format!("{example}/appspec.yaml"))), None, "{example}");
    }
}
