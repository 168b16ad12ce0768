//! A stage of a pipeline failed: why, and whether it is run again.

use crate::{
    cause::Retry,
    decision::{Decision, Urgency, Verdict},
    evidence::{ActionFailed, StageEvidence},
    ledger::EffectState,
    policy::{Mode, Policy, RetryRule, Service},
    reason::{Reason, Reasons},
    release::Place,
    signal::StageFailed,
};

/// Decides about a stage that failed. What passes by itself is run again if the policy says so and has attempts left;
/// everything else is told, with its causes.
pub fn failed(
    policy: &Policy,
    service: &Service,
    evidence: &StageEvidence,
    failed: &StageFailed,
) -> Decision {
    let release = &evidence.release;
    let name = Some(&service.name);
    if let Some(at) = evidence.stopped {
        // It failed because Belay stopped what it did, and why was told.
        let reason = Reason::BelayAskedForIt { at };
        return Decision::plain(name, Some(release), Verdict::Ignore, reason.into());
    }
    let stage = failed.stage.stage.clone();
    let actions = match evidence.failed.known() {
        Ok(actions) => actions,
        Err(why) => {
            let reason =
                Reason::CouldNotLearn { what: format!("why the stage {stage} failed"), why: why.to_owned() };
            let verdict = Verdict::Notify(urgency(evidence, failed));
            return Decision::plain(name, Some(release), verdict, reason.into());
        }
    };
    let mut reasons: Vec<Reason> = actions
        .iter()
        .map(|one| Reason::ActionFailed { stage: stage.clone(), failed: Box::new(one.clone()) })
        .collect();
    if reasons.is_empty() {
        reasons.push(Reason::NoActionFailed { stage });
    }
    // Where nothing was ever run again, nothing is spent.
    let tried = if service.mode == Mode::Observe { 0 } else { tried(evidence, failed) };
    // What Belay takes back or halts in another stage of it is not set going again.
    let undone = evidence.ledger.undo.as_ref().is_some_and(|undo| undo.state != EffectState::Overtaken);
    let retried = policy.retry().filter(|rule| curable(rule, actions) && evidence.leads && !undone);
    match retried {
        Some(rule) if tried < rule.attempts => {
            let attempt = tried + 1;
            reasons.push(Reason::PassesByItself { attempt, of: rule.attempts });
            let observed = service.mode == Mode::Observe;
            let decision = Decision::plain(name, Some(release), Verdict::Retry, all(reasons));
            return Decision { observed, ..decision };
        }
        Some(rule) => reasons.push(Reason::RetriesSpent { attempts: rule.attempts }),
        None => {}
    }
    if is_where_it_releases(evidence, failed) {
        reasons.push(Reason::LeftAsItIs);
    }
    let verdict = Verdict::Notify(urgency(evidence, failed));
    Decision::plain(name, Some(release), verdict, all(reasons))
}

/// Decides about a stage in which nothing failed but manual approvals: those are told of by their own events.
pub fn not_approved(service: &Service, evidence: &StageEvidence, failed: &StageFailed) -> Decision {
    let reason = Reason::NotApproved { stage: failed.stage.stage.clone() };
    Decision::plain(Some(&service.name), Some(&evidence.release), Verdict::Ignore, reason.into())
}

/// A failure on the way is for whoever reads along. One where users are released to is worth a call.
fn urgency(evidence: &StageEvidence, failed: &StageFailed) -> Urgency {
    if is_where_it_releases(evidence, failed) { Urgency::Loud } else { Urgency::Calm }
}

fn is_where_it_releases(evidence: &StageEvidence, failed: &StageFailed) -> bool {
    match &evidence.release.place {
        Place::Stage(stage) => *stage == failed.stage,
        Place::Group(_) => false,
    }
}

/// Whether all of it passes by itself: of two actions that failed, one that does not would fail again.
fn curable(rule: &RetryRule, actions: &[ActionFailed]) -> bool {
    let passes =
        |one: &ActionFailed| one.cause.retry == Retry::Helps && rule.causes.contains(&one.cause.rule);
    !actions.is_empty() && actions.iter().all(passes)
}

/// How often this stage has been run again in this execution. The decision about this very failure is not counted, in
/// case it comes again.
fn tried(evidence: &StageEvidence, failed: &StageFailed) -> u32 {
    let keys = failed.keys();
    let this = format!("{keys}{}", failed.run);
    let decisions = evidence.ledger.decisions.iter();
    let earlier = decisions.filter(|record| {
        record.verdict == Verdict::Retry && record.signal.starts_with(&keys) && record.signal != this
    });
    u32::try_from(earlier.count()).unwrap_or(u32::MAX)
}

fn all(mut reasons: Vec<Reason>) -> Reasons {
    let first = reasons.remove(0);
    Reasons::new(first, reasons)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        approval::{Choice, Person},
        cause::{Cause, Concerns},
        decision::approval::{not_begun, standing},
        evidence::Observed,
        ledger::{DecisionRecord, Press, ReleaseLedger, Watch},
        plan::{Action, Circumstances, plan},
        release::{Change, ReleaseId, Stage},
        signal::{Approval, Signal},
    };

    const POLICY: &str = "version: 1\npipelines: { retry: { causes: [throttled, aws-failed], attempts: 2 } }\nservices:\n  shop:\n    deployed_by: [ { pipeline: { name: shop, stage: Prod } } ]\n    alarms: { a: ask }\n";

    fn signal(stage: &str, run: &str) -> StageFailed {
        let stage = Stage { pipeline: "shop".to_owned(), stage: stage.to_owned() };
        StageFailed {
            stage,
            execution: "e-1".to_owned(),
            run: run.to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn one(rule: &str, retry: Retry) -> ActionFailed {
        let text = String::new;
        let cause = Cause {
            rule: rule.to_owned(),
            what: text(),
            evidence: text(),
            seen_in: text(),
            to_do: text(),
            concerns: Concerns::Unknown,
            retry,
            not_learnt: Vec::new(),
        };
        ActionFailed { action: "Compile".to_owned(), provider: "CodeBuild".to_owned(), cause }
    }

    fn evidence(failed: Vec<ActionFailed>) -> StageEvidence {
        let stage = Stage { pipeline: "shop".to_owned(), stage: "Prod".to_owned() };
        let watch = Watch {
            release: ReleaseId::of_stage("Prod", "e-1"),
            service: "shop".into(),
            place: Place::Stage(stage),
            began: jiff::Timestamp::UNIX_EPOCH,
        };
        StageEvidence {
            release: not_begun(&watch, Change::default(), None),
            ledger: ReleaseLedger::default(),
            failed: Observed::Known { value: failed, at: jiff::Timestamp::UNIX_EPOCH },
            stopped: None,
            leads: true,
        }
    }

    fn decide(text: &str, evidence: &StageEvidence, signal: &StageFailed) -> Decision {
        let policy = Policy::parse(text).unwrap();
        failed(&policy, policy.service(&"shop".into()).unwrap(), evidence, signal)
    }

    #[test]
    fn what_passes_by_itself_is_run_again_as_often_as_the_policy_says() {
        let mut evidence = evidence(vec![one("throttled", Retry::Helps), one("aws-failed", Retry::Helps)]);
        for (run, verdict) in
            [("r-1", Verdict::Retry), ("r-2", Verdict::Retry), ("r-3", Verdict::Notify(Urgency::Calm))]
        {
            let failed = signal("Build", run);
            let decision = decide(POLICY, &evidence, &failed);
            assert_eq!(decision.verdict, verdict, "{run}");
            // The same failure, delivered again, is decided in the same way.
            evidence.ledger.decisions.push(DecisionRecord {
                service: decision.service.clone(),
                verdict: decision.verdict,
                reasons: decision.reasons.clone(),
                signal: Signal::StageFailed(failed.clone()).key(),
                at: jiff::Timestamp::UNIX_EPOCH,
            });
            assert_eq!(decide(POLICY, &evidence, &failed).verdict, verdict, "{run}, again");
        }
        // Another stage of the same execution has its own attempts.
        assert_eq!(decide(POLICY, &evidence, &signal("Deploy", "r-9")).verdict, Verdict::Retry);
    }

    #[test]
    fn nothing_else_is() {
        let build = signal("Build", "r-1");
        let told = Verdict::Notify(Urgency::Calm);
        let retry = "pipelines: { retry: { causes: [throttled, aws-failed], attempts: 2 } }\n";
        let none = POLICY.replace(retry, "");
        assert_ne!(none, POLICY);
        let throttled = || one("throttled", Retry::Helps);
        let is_told = |text: &str, evidence: StageEvidence| {
            assert_eq!(decide(text, &evidence, &build).verdict, told, "{evidence:?}");
        };
        // Without a word of the policy, or for another cause, or beside a failure that stays.
        is_told(&none, evidence(vec![throttled()]));
        is_told(POLICY, evidence(vec![one("docker-hub-limit", Retry::Helps)]));
        is_told(POLICY, evidence(vec![throttled(), one("tests-failed", Retry::DoesNot)]));
        is_told(POLICY, evidence(vec![one("throttled", Retry::Unknown)]));
        is_told(POLICY, evidence(Vec::new()));
        // Where another service of the pipeline is the one that does.
        is_told(POLICY, StageEvidence { leads: false, ..evidence(vec![throttled()]) });
        let unread = Observed::Missing { why: "no".to_owned() };
        is_told(POLICY, StageEvidence { failed: unread, ..evidence(Vec::new()) });
        let observed = POLICY.replace("  shop:\n", "  shop:\n    mode: observe\n");
        let decision = decide(&observed, &evidence(vec![throttled()]), &build);
        assert!(decision.observed && decision.verdict == Verdict::Retry);
    }

    #[test]
    fn where_users_are_released_to_a_failure_is_loud_and_what_belay_stopped_is_none() {
        let prod = signal("Prod", "r-1");
        let tests = || vec![one("tests-failed", Retry::DoesNot)];
        assert_eq!(decide(POLICY, &evidence(tests()), &prod).verdict, Verdict::Notify(Urgency::Loud));
        let at = jiff::Timestamp::UNIX_EPOCH;
        let stopped = StageEvidence { stopped: Some(at), ..evidence(tests()) };
        assert_eq!(decide(POLICY, &stopped, &prod).verdict, Verdict::Ignore);
        // Another stage of it failed for a reason of its own, and is not set going again.
        let mut undone = evidence(vec![one("throttled", Retry::Helps)]);
        undone.ledger.undo = Some(crate::ledger::Effect {
            verdict: Verdict::RollBack,
            reasons: Reason::NoRollbackStarted.into(),
            effect: None,
            state: EffectState::Done,
            at,
        });
        let verify = signal("Verify", "r-1");
        assert_eq!(decide(POLICY, &undone, &verify).verdict, Verdict::Notify(Urgency::Calm));
    }

    #[test]
    fn what_is_run_again_by_itself_gives_way_to_an_undo_and_a_persons_wish_does_not() {
        let retries = |decision: Decision, signal: &Signal| -> Vec<bool> {
            let actions = plan(decision, Circumstances::of(signal, jiff::Timestamp::UNIX_EPOCH)).actions;
            let gives_way = |action| match action {
                Action::Retry { unless_undone, .. } => Some(unless_undone),
                _ => None,
            };
            actions.into_iter().filter_map(gives_way).collect()
        };
        let evidence = evidence(vec![one("throttled", Retry::Helps)]);
        let by_itself = signal("Build", "r-1");
        let decision = decide(POLICY, &evidence, &by_itself);
        assert_eq!(retries(decision.clone(), &Signal::StageFailed(by_itself)), [true]);
        let policy = Policy::parse(POLICY).unwrap();
        let service = policy.service(&"shop".into()).unwrap();
        let by = Person { team: "T1".to_owned(), user: "U1".to_owned() };
        let offer = standing(service, &evidence.release, &evidence.ledger);
        let press = Press {
            offer: "o".to_owned(),
            by,
            choice: Choice::Retry,
            why: None,
            channel: String::new(),
            stamp: String::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let wish = Signal::Approval(Box::new(Approval { offer, press }));
        assert_eq!(retries(decision, &wish), [false]);
    }
}
