//! Whatever goes wrong, and however much of it at once: the invariants hold over whole stories.

use std::{sync::Mutex, time::Duration};

use belay::policy::Policy;
use belay_tests::{
    Invocation, Simulator,
    stage::{
        functions, print,
        storm::{Broken, Survived, alone, judge, survive_many, tell},
    },
};
use serde_json::Value;

/// As many as a debug build on two cores plays in half a minute. `rehearse --storm` plays as many as one likes.
const SEEDS: u64 = 200;

#[test]
fn every_seed_is_survived() {
    let survived = Mutex::new(Survived::default());
    let broken = Mutex::new(Vec::new());
    survive_many(1, SEEDS, 2, |_, result| match result {
        Ok(counts) => survived.lock().unwrap().add(&counts),
        Err(why) => broken.lock().unwrap().push(why.to_string()),
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{} of {SEEDS} seeds broke\n{}", broken.len(), broken.join("\n\n"));
    // A storm in which nothing happens proves nothing.
    let counts = survived.into_inner().unwrap().counts;
    for what in [
        "faults: throttled",
        "faults: server errors",
        "faults: cut off before the effect",
        "faults: cut off after the effect",
        "invocations killed",
        "events lost",
        "events doubled",
        "events late",
        "undos",
        "hooks answered",
    ] {
        assert!(counts.get(what).is_some_and(|count| *count >= SEEDS / 10), "{what}: {counts:?}");
    }
}

/// Reads that run side by side are struck in any order; everything else has its own. Of those beside which an invocation
/// was killed, some may have come before it and some never.
fn in_order(story: &str) -> String {
    let lines: Vec<&str> = story.lines().collect();
    let mut kept: Vec<&str> = Vec::new();
    for run in lines.chunk_by(|one, next| one.contains('↯') && next.contains('↯')) {
        let killed = run.iter().any(|line| line.contains("↯ killed"));
        let mut run: Vec<&str> =
            run.iter().copied().filter(|line| !killed || line.contains("↯ killed")).collect();
        run.sort_unstable();
        kept.extend(run);
    }
    in_one_region(&kept.join("\n"))
}

/// Each playing has a region of its own, which links name (`functions::stormproof`).
fn in_one_region(story: &str) -> String {
    let region = format!("{}-", functions::REGION);
    let mut parts = story.split(&region);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |story, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        story + functions::REGION + rest
    })
}

#[test]
fn the_same_seed_is_the_same_story() {
    let story = |seed| {
        let story = Mutex::new(String::new());
        alone(seed, async {
            let record = tell(seed, functions::install_in_storm).await;
            *story.lock().unwrap() = in_order(&print::story(record.began, &record.timeline));
            judge(&record)
        })
        .unwrap();
        story.into_inner().unwrap()
    };
    for seed in 1..=12 {
        let (once, again) = (story(seed), story(seed));
        let mut lines = once.lines().zip(again.lines()).enumerate();
        let differs = lines.find(|(_, (one, other))| one != other);
        assert!(once == again, "seed {seed} differs: {differs:?}");
    }
    assert_ne!(story(1), story(2));
}

/// Plays seeds with functions that are broken on purpose until an invariant of this name reports it.
fn caught(invariant: &str, install: impl Fn(&Simulator, Policy)) {
    for seed in 1..=60 {
        let result = alone(seed, async { judge(&tell(seed, &install).await) });
        if let Err(Broken { breaches, .. }) = result
            && breaches.iter().any(|(name, _)| *name == invariant)
        {
            return;
        }
    }
    panic!("nobody saw that it is broken on purpose: {invariant}");
}

/// Belay's functions, and instead of one of them something else.
fn with(
    simulator: &Simulator,
    policy: Policy,
    name: &'static str,
    function: impl Fn(belay::start::Guard, Invocation) -> belay_tests::BoxFuture<Result<String, String>>
    + Send
    + Sync
    + 'static,
) {
    functions::install_in_storm(simulator, policy.clone());
    let guards = functions::stormproof(simulator, policy);
    // Its role would keep it from some of what it is broken to do.
    simulator.trust(name);
    simulator.register(name, move |call| function(guards(name, &call).own().clone(), call));
}

fn deployment_of(payload: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(payload).unwrap();
    event["detail"]["deploymentId"].as_str().map(str::to_owned)
}

/// Calls StopDeployment and nothing else.
async fn stop(guard: &belay::start::Guard, id: &str) {
    let id = belay::release::ReleaseId::from(id);
    drop(guard.adapters.codedeploy.stop(&id, true).await);
}

#[test]
fn a_guard_that_stops_twice_is_caught() {
    caught("nobody asks twice without a reason", |simulator, policy| {
        with(simulator, policy, "pipeline-events", |guard, call| {
            Box::pin(async move {
                let id = deployment_of(&call.payload).unwrap();
                stop(&guard, &id).await;
                stop(&guard, &id).await;
                Ok(String::new())
            })
        });
    });
}

#[test]
fn a_guard_that_stops_for_no_reason_is_caught() {
    for invariant in ["what is stopped has a cause since it began", "no rollback is stopped"] {
        caught(invariant, |simulator, policy| {
            with(simulator, policy, "pipeline-events", |guard, call| {
                Box::pin(async move {
                    stop(&guard, &deployment_of(&call.payload).unwrap()).await;
                    Ok(String::new())
                })
            });
        });
    }
}

#[test]
fn a_guard_that_answers_no_hook_is_caught() {
    caught("a hook is answered once, in time", |simulator, policy| {
        with(simulator, policy, "lifecycle-hooks", |_, _| Box::pin(async { Ok(String::new()) }));
    });
}

#[test]
fn a_guard_that_hears_alarms_and_does_nothing_is_caught() {
    caught("an alarm that was heard is never met with silence", |simulator, policy| {
        with(simulator, policy, "alarm-transitions", |_, _| Box::pin(async { Ok(String::new()) }));
    });
}

#[test]
fn a_guard_that_forgets_to_tell_is_caught() {
    caught("an undo is told", |simulator, policy| {
        with(simulator, policy, "alarm-transitions", |guard, call| {
            Box::pin(async move {
                let event: Value = serde_json::from_slice(&call.payload).unwrap();
                let name = event["detail"]["alarmName"].as_str().unwrap().to_owned();
                let service = name.split('-').next().unwrap().to_owned();
                let group = belay::release::DeploymentGroup { application: service.clone(), group: service };
                if let Ok(Some(running)) = guard.adapters.codedeploy.running(&group).await {
                    drop(guard.adapters.codedeploy.stop(&running.id, true).await);
                }
                Ok(String::new())
            })
        });
    });
}

#[test]
fn a_guard_that_tells_twice_or_without_a_reason_is_caught() {
    for (invariant, description) in [
        ("a message comes twice only for a fault", "because\n\n*What Belay did:* nothing"),
        ("a message is whole", "\n*What Belay did:* nothing"),
    ] {
        caught(invariant, move |simulator, policy| {
            with(simulator, policy, "pipeline-events", move |guard, _| {
                Box::pin(async move {
                    let body = serde_json::json!({
                        "id": "release/d-1/x", "metadata": { "threadId": "d-1" },
                        "content": { "title": "a title", "description": description },
                    });
                    let notification = belay::chat::amazon_q::Notification {
                        subject: "s".to_owned(),
                        body: body.to_string(),
                        urgency: "calm",
                    };
                    drop(guard.adapters.topic.publish(&notification).await);
                    Ok(String::new())
                })
            });
        });
    }
}

#[test]
fn a_guard_that_panics_is_caught() {
    caught("nothing panics or refuses what AWS sends", |simulator, policy| {
        with(simulator, policy, "pipeline-events", |_, _| {
            Box::pin(async {
                tokio::time::sleep(Duration::ZERO).await;
                panic!("on purpose")
            })
        });
    });
}
