//! Scripts that let a pipeline's actions fail for a reason, played without Belay.

use serde_json::Value;

use crate::stage::play::{Played, play};
use crate::stage::script::Rehearsal;

/// A pipeline of three stages, with these events in its script.
fn script(events: &str) -> Result<Rehearsal, String> {
    Rehearsal::parse(&format!(
        r"
title: A stage fails
story: A stage fails.
lasts: 20m
service:
  application: checkout
  group: prod
  platform: ecs
  shifting: all at once
  requests_per_minute: 100
  slow_after: 1s
  pipeline:
    name: checkout-release
    stages:
      - {{ name: Source, does: connection }}
      - {{ name: Build, does: build, takes: 1m }}
      - {{ name: Production, does: deploy, takes: 2m }}
  baseline: {{ revision: v40, errors: 0.1%, p99: 120ms }}
alarms: {{}}
script:
{events}
expect: {{ release: Failed, serves: v40, undos: 0, verdicts: [] }}
"
    ))
}

async fn played(events: &str) -> Result<Played, String> {
    play(&script(events)?, None).await
}

/// The actions that failed: their stage, and what their event says of it.
fn failures(played: &Played) -> Vec<(String, Value)> {
    let failed =
        |event: &&Value| event["detail"]["state"] == "FAILED" && event["detail"]["action"].is_string();
    let events = played.announced.iter().map(|(event, _)| event).filter(failed);
    events
        .map(|event| {
            let stage = event["detail"]["stage"].as_str().unwrap_or_default().to_owned();
            (stage, event["detail"]["execution-result"].clone())
        })
        .collect()
}

#[tokio::test]
async fn a_stage_breaks_as_often_as_its_script_says() {
    let broken = r#"
  - at: 1m
    breaks:
      stage: Build
      times: 1
      build:
        project: checkout-build
        phase: INSTALL
        code: COMMAND_EXECUTION_ERROR
        message: "Error while executing command: npm ci. Reason: exit status 1"
        vpc: vpc-1
        log: ["npm http fetch", { line: "npm timing", times: 7 }, "npm ERR! code ETIMEDOUT"]
        log_repeated: 2000000
  - at: 1m
    release: { revision: v41, errors: 0.1%, p99: 120ms, commit: { message: Add a tax, author: Anna } }
"#;
    let once = played(broken).await.unwrap();
    let (stage, result) = failures(&once).remove(0);
    assert_eq!((once.status.as_str(), stage.as_str()), ("Failed", "Build"));
    assert!(result["external-execution-id"].as_str().unwrap().starts_with("checkout-build:"));
    let summary = result["external-execution-summary"].as_str().unwrap();
    assert!(summary.contains("Phase: INSTALL, Code: COMMAND_EXECUTION_ERROR, Message: Error while"));
    let again = format!("{broken}\n  - at: 5m\n    release: {{ revision: v42, errors: 0.1%, p99: 120ms }}\n");
    let twice = played(&again).await.unwrap();
    assert_eq!((twice.status.as_str(), failures(&twice).len()), ("Succeeded", 1));
}

#[tokio::test]
async fn deployments_and_tasks_break_in_a_script_too() {
    let alone = r"
  - at: 1m
    breaks:
      times: 1
      deployment:
        code: HOOK_EXECUTION_FAILURE
        message: A hook failed
        events:
          - { event: AfterInstall, status: Failed, code: ScriptFailed, script: a.sh, message: b, log_tail: c }
  - at: 1m
    release: { revision: v41, errors: 0.1%, p99: 120ms }
";
    let mut rehearsal = script(alone).unwrap();
    rehearsal.service.pipeline = None;
    assert_eq!(play(&rehearsal, None).await.unwrap().status, "Failed");
    let tasks = r#"
  - at: 1m
    breaks:
      stage: Production
      action: { message: The service did not become stable }
      tasks:
        cluster: prod
        service: checkout
        stopped: [{ reason: "CannotPullContainerError: no", containers: [{ name: app, exit_code: 1, reason: x }] }]
        events: ["(service checkout) is unable to place a task"]
        rollout: "ECS deployment circuit breaker: tasks failed to start."
        targets:
          group: blue
          path: /health
          unhealthy: [{ id: 10.0.1.5, port: 8080, reason: Target.Timeout, description: Request timed out }]
  - at: 1m
    release: { revision: v41, errors: 0.1%, p99: 120ms }
"#;
    let (stage, result) = failures(&played(tasks).await.unwrap()).remove(0);
    assert_eq!(stage, "Production");
    assert_eq!(result["external-execution-summary"], "The service did not become stable");
    assert!(result["external-execution-id"].as_str().unwrap().starts_with("ecs-svc/"));
    let neither = played("  - at: 1m\n    breaks: { times: 1 }\n").await.unwrap_err();
    assert!(neither.contains("names neither"), "{neither}");
}

#[tokio::test]
async fn a_script_that_breaks_what_is_not_there_is_refused() {
    for (breaks, why) in [
        ("{ stage: Test }", "the pipeline checkout-release has no stage `Test`"),
        (
            "{ stage: Production, stack: { name: a, status: b }, function: { name: a, message: b } }",
            "breaks for one reason",
        ),
        ("{ stage: Build, bild: {} }", "bild"),
        ("{ stage: Build, stack: { name: a, status: b } }", "is none that deploys without CodeDeploy"),
        (
            "{ stage: Build, build: { project: a, phase: TEST, code: b, message: c } }",
            "CodeBuild has no phase `TEST`",
        ),
    ] {
        let said = played(&format!("  - at: 1m\n    breaks: {breaks}\n")).await.unwrap_err();
        assert!(said.contains(why), "{said}");
    }
    let denied = r"
  - at: 1m
    breaks: { stage: Production, action: { code: PermissionError, message: The role is missing } }
  - at: 1m
    release: { revision: v41, errors: 0.1%, p99: 120ms }
";
    let (stage, result) = failures(&played(denied).await.unwrap()).remove(0);
    assert_eq!((stage.as_str(), &result["error-code"]), ("Production", &Value::from("PermissionError")));
    assert_eq!(result["external-execution-summary"], "The role is missing");
    assert!(result.get("external-execution-id").is_none());
}
