//! What lies ahead of a pipeline that waits for a manual approval. Bounded: three steps of three seconds, whatever AWS
//! does; what could not be learnt by then is said as such, and the question is asked all the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{execution, release::alarms};
use crate::{
    aws::{
        Adapters, AwsError,
        codepipeline::{ExecutionSummary, PastExecution, RunInFull},
    },
    evidence::{
        Ahead, Back, COMMITS, Coming, Commit, DIFFERENCES, Difference, Differing, Notice, Observed, RedNow,
        Target,
    },
    mask::{MASKED, is_environment, mask, mask_named},
    policy::Service,
    release::Stage,
    signal::{AlarmState, ManualChange},
};

/// How long one step may take.
const STEP: Duration = Duration::from_secs(3);
/// How much of a value is shown, in characters: a digest of SHA-256 with its name fits.
const VALUE: usize = 80;
/// How much of a commit's message.
const MESSAGE: usize = 100;

/// What source actions find out anew with every commit: the commits themselves are told (CodePipeline User Guide,
/// "Variables reference").
const OF_COMMITS: [&str; 8] = [
    "CommitId",
    "CommitMessage",
    "CommitUrl",
    "CommitterDate",
    "AuthorDate",
    "AuthorDisplayName",
    "AuthorEmail",
    "AuthorId",
];

/// Gathers what lies ahead of a service whose pipeline waits: `released` is the stage that releases it, which need not be
/// the one that asks. `notice` is what came with the notification, if one did; else it is read from the action.
pub async fn gather(
    adapters: &Adapters,
    service: &Service,
    released: &Stage,
    change: &ManualChange,
    notice: Option<Notice>,
    now: Timestamp,
) -> Ahead {
    let (alarms, of_pipeline) = tokio::join!(
        within("cloudwatch:DescribeAlarms", alarms(adapters, service, now)),
        of_pipeline(adapters, released, change, now),
    );
    let alarms = alarms.map(|alarms| {
        let state = |wanted| alarms.iter().filter(move |(_, one)| one.state.known() == Ok(&wanted));
        RedNow {
            red: state(AlarmState::Alarm).map(|(name, _)| name.clone()).collect(),
            watched: alarms.len(),
            unread: alarms.values().filter(|one| one.state.is_missing()).count(),
        }
    });
    let OfPipeline { has, coming, differs, back, written } = of_pipeline;
    Ahead {
        stage: released.stage.clone(),
        has,
        coming,
        differs,
        alarms: Observed::from_result(alarms, now),
        back,
        notice: notice.map(masked).or(written),
    }
}

/// What a call gives in time.
async fn within<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, AwsError>>,
) -> Result<T, AwsError> {
    bounded(STEP, operation, call).await
}

async fn bounded<T>(
    limit: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T, AwsError>>,
) -> Result<T, AwsError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(AwsError::unreadable(operation, "what lies ahead", "no answer within three seconds")),
    }
}

struct OfPipeline {
    has: Observed<Option<String>>,
    coming: Observed<Coming>,
    differs: Observed<Differing>,
    back: Observed<Target>,
    written: Option<Notice>,
}

async fn of_pipeline(
    adapters: &Adapters,
    released: &Stage,
    change: &ManualChange,
    now: Timestamp,
) -> OfPipeline {
    const EXECUTIONS: &str = "codepipeline:ListPipelineExecutions";
    const ACTIONS: &str = "codepipeline:ListActionExecutions";
    let (pipelines, execution) = (&adapters.codepipeline, change.approval.execution.as_str());
    let pipeline = released.pipeline.as_str();
    let (succeeded, runs, structure) = tokio::join!(
        within(EXECUTIONS, pipelines.succeeded_in(pipeline, &released.stage)),
        within(ACTIONS, pipelines.runs_in_full(pipeline, execution)),
        within("codepipeline:GetPipeline", pipelines.structure(pipeline)),
    );
    let began = runs.as_ref().ok().and_then(|runs| runs.iter().map(|one| one.run.started).min());
    let listed = succeeded.as_ref().ok().zip(began).and_then(|(succeeded, began)| before(succeeded, began));
    // As far back as the revision that the stage has.
    let past = within(EXECUTIONS, pipelines.past(pipeline, listed.map(|had| had.started))).await;
    let had = match (&succeeded, &past) {
        (Err(error), _) | (_, Err(error)) => Err(error.clone()),
        // What succeeded before the pipeline's structure was changed is not listed by stage, and went all the way.
        (Ok(_), Ok((past, _))) => Ok(listed.cloned().or_else(|| whole(past, began?))),
    };
    let (earlier, back) = tokio::join!(
        async {
            match &had {
                Ok(Some(had)) => within(ACTIONS, pipelines.runs_in_full(pipeline, &had.id)).await.map(Some),
                Ok(None) => Ok(None),
                Err(error) => Err(error.clone()),
            }
        },
        async {
            let structure = structure?;
            let all = past.as_ref().map_err(Clone::clone);
            let all = all.map(|(past, _)| past.iter().map(|one| one.summary.clone()).collect());
            let back = execution::would_go_back(
                adapters,
                &structure,
                released,
                execution,
                (succeeded.clone(), &all),
                now,
            );
            within("belay:gather", async { Ok(back.await) }).await
        },
    );
    let coming = match (&had, &runs, &past) {
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error.clone()),
        (Ok(had), Ok(runs), Ok((past, whole))) => {
            Ok(coming(execution, had.as_ref(), runs, past, *whole, &succeeded))
        }
    };
    let differs = match (&runs, &earlier) {
        (Err(error), _) | (_, Err(error)) => Err(error.clone()),
        (Ok(runs), Ok(earlier)) => Ok(differing(earlier.as_deref().unwrap_or_default(), runs)),
    };
    let written = runs.ok().and_then(|runs| written(&runs, change));
    OfPipeline {
        has: Observed::from_result(had.map(|had| had.map(|had| named(&had))), now),
        coming: Observed::from_result(coming, now),
        differs: Observed::from_result(differs, now),
        back: match back {
            Err(error) => Observed::Missing { why: error.to_string() },
            Ok(back) => back.map(|back| match back {
                Back::To { target, .. } => target,
                Back::Nowhere { why } | Back::Later { why } => Target::None { why },
            }),
        },
        written,
    }
}

/// Of the executions that succeeded in a stage the newest that began before another one: what the stage has. What a
/// rollback brought back is what its target had brought.
fn before(succeeded: &[ExecutionSummary], began: Timestamp) -> Option<&ExecutionSummary> {
    let last = succeeded.iter().filter(|one| one.started < began).max_by_key(|one| one.started)?;
    let target = succeeded.iter().find(|one| Some(&one.id) == last.rollback_target.as_ref());
    Some(target.unwrap_or(last))
}

/// The newest execution before another one that went through all of the pipeline.
fn whole(past: &[PastExecution], began: Timestamp) -> Option<ExecutionSummary> {
    let earlier = past.iter().map(|one| &one.summary).filter(|one| one.started < began && !one.rollback);
    earlier.filter(|one| one.status == "Succeeded").max_by_key(|one| one.started).cloned()
}

/// An execution by what it brought, in a few words.
fn named(execution: &ExecutionSummary) -> String {
    execution
        .revision
        .as_deref()
        .map_or_else(|| format!("the execution {}", execution.id), |words| said(words, MESSAGE))
}

/// The source revisions that the stage has not got: those of this execution and of all that began since then and did not
/// get there, were they superseded, stopped, rejected or taken back.
fn coming(
    execution: &str,
    had: Option<&ExecutionSummary>,
    runs: &[RunInFull],
    past: &[PastExecution],
    whole: bool,
    succeeded: &Result<Vec<ExecutionSummary>, AwsError>,
) -> Coming {
    let own = past.iter().find(|one| one.summary.id == execution);
    let until = own.map(|own| own.summary.started);
    let is_since = |one: &&PastExecution| match had {
        Some(had) => one.summary.started > had.started,
        // Nothing was there: only this one is told.
        None => one.summary.id == execution,
    };
    let there: BTreeSet<(&str, Option<&str>)> = past
        .iter()
        .filter(|one| had.is_some_and(|had| had.id == one.summary.id))
        .flat_map(|one| &one.sources)
        .map(|source| (source.action.as_str(), source.id.as_deref()))
        .collect();
    let plain: Vec<_> = runs.iter().map(|one| one.run.clone()).collect();
    let change = execution::change(&plain, None);
    let (mut seen, mut all) = (there, Vec::new());
    let since = past.iter().filter(is_since).filter(|one| !one.summary.rollback);
    for one in since.filter(|one| until.is_none_or(|until| one.summary.started <= until)) {
        for source in &one.sources {
            if !seen.insert((source.action.as_str(), source.id.as_deref())) {
                continue;
            }
            let is_own = change.commit.is_some() && change.commit == source.id;
            all.push(Commit {
                source: source.action.clone(),
                id: source.id.clone(),
                // The first line says what it is.
                message: source.summary.as_deref().map(|summary| said(first_line(summary), MESSAGE)),
                author: change.author.as_ref().filter(|_| is_own).map(|author| said(author, VALUE)),
            });
        }
    }
    let more = all.len().saturating_sub(COMMITS);
    all.truncate(COMMITS);
    let newer = succeeded.as_ref().ok().zip(until).and_then(|(succeeded, until)| {
        succeeded.iter().filter(|one| one.started > until && !one.rollback).max_by_key(|one| one.started)
    });
    Coming { commits: all, more, whole, newer: newer.map(named) }
}

/// In what the actions of this execution differ from those of an earlier one, as far as they have run.
fn differing(earlier: &[RunInFull], runs: &[RunInFull]) -> Differing {
    let (before, after) = (values(earlier), values(runs));
    // What has not run yet is not gone.
    let ran: BTreeSet<(&str, &str)> =
        runs.iter().map(|one| (one.run.stage.as_str(), one.run.action.as_str())).collect();
    let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
    let mut changes: Vec<Difference> = keys
        .into_iter()
        .filter(|key| ran.contains(&(key.stage.as_str(), key.action.as_str())))
        .filter(|key| before.get(key) != after.get(key))
        .map(|key| Difference {
            action: key.action.clone(),
            key: key.name.clone(),
            before: before.get(key).map(|value| hidden(&key.name, value)),
            after: after.get(key).map(|value| hidden(&key.name, value)),
        })
        .collect();
    let more = changes.len().saturating_sub(DIFFERENCES);
    changes.truncate(DIFFERENCES);
    Differing { changes, more }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    stage: String,
    action: String,
    name: String,
}

/// What the last run of each action was told and found out; of an object in JSON, such as the parameters of a stack, each
/// member. What an approval says to people is told as such.
fn values(runs: &[RunInFull]) -> BTreeMap<Key, String> {
    let (mut values, mut seen) = (BTreeMap::new(), BTreeSet::new());
    // The newest comes first.
    for one in runs.iter().filter(|one| !one.run.is_approval()) {
        let (stage, action) = (&one.run.stage, &one.run.action);
        if !seen.insert((stage, action)) {
            continue;
        }
        let mut put = |name: String, value: String| {
            values.insert(Key { stage: stage.clone(), action: action.clone(), name }, value);
        };
        let found = one.run.variables.iter().filter(|(name, _)| !OF_COMMITS.contains(&name.as_str()));
        for (name, value) in one.configuration.iter().chain(found) {
            match members(value) {
                Some(members) => {
                    for (member, value) in members {
                        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        put(format!("{name}.{member}"), text);
                    }
                }
                None => put(name.clone(), value.clone()),
            }
        }
    }
    values
}

/// The members of an object in JSON, or of a list of names and values: the variables of a build (CodePipeline User Guide,
/// "AWS CodeBuild build and test action reference", `EnvironmentVariables`).
fn members(value: &str) -> Option<Vec<(String, Value)>> {
    match serde_json::from_str(value).ok()? {
        Value::Object(members) => Some(members.into_iter().collect()),
        Value::Array(pairs) => pairs
            .into_iter()
            .map(|pair| Some((pair.get("name")?.as_str()?.to_owned(), pair.get("value")?.clone())))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A value without its secrets, which may be known as such by its name only.
fn hidden(name: &str, value: &str) -> String {
    // The last part of a name is what says so: `ParameterOverrides.DbPassword`.
    let (of, last) = name.rsplit_once('.').unwrap_or((name, name));
    if of.split('.').any(is_environment) {
        return MASKED.to_owned();
    }
    said(&mask_named(last, value), VALUE)
}

/// What was written into the approval's own configuration (CodePipeline User Guide, "Approval action reference").
fn written(runs: &[RunInFull], change: &ManualChange) -> Option<Notice> {
    let approval = &change.approval;
    let own =
        runs.iter().find(|one| one.run.stage == approval.stage.stage && one.run.action == approval.action)?;
    let told = |name: &str| own.configuration.get(name).filter(|text| !text.trim().is_empty()).cloned();
    let notice = Notice { link: told("ExternalEntityLink"), words: told("CustomData"), expires: None };
    (notice != Notice::default()).then(|| masked(notice))
}

/// A notice without its secrets, cut to a length.
fn masked(notice: Notice) -> Notice {
    let hide = |text: Option<String>| text.map(|text| said(&text, 300));
    Notice { link: hide(notice.link), words: hide(notice.words), expires: notice.expires }
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}

/// Text from outside: without its secrets, at most so many characters of it.
fn said(text: &str, most: usize) -> String {
    let text = mask(text);
    if text.chars().nth(most).is_none() {
        return text;
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::codepipeline::{ActionDetail, ActionRun};

    fn run(action: &str, configuration: &[(&str, &str)], variables: &[(&str, &str)]) -> RunInFull {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let category = if action == "Sign-off" { "Approval" } else { "Build" };
        RunInFull {
            run: ActionRun {
                stage: "Build".to_owned(),
                action: action.to_owned(),
                provider: None,
                status: "Succeeded".to_owned(),
                started: Timestamp::UNIX_EPOCH,
                updated: Timestamp::UNIX_EPOCH,
                external: None,
                variables: map(variables),
                detail: ActionDetail { category: Some(category.to_owned()), ..ActionDetail::default() },
            },
            configuration: map(configuration),
        }
    }

    fn told(differing: &Differing) -> Vec<String> {
        let words = |change: &Difference| {
            format!("{} {} {:?} {:?}", change.action, change.key, change.before, change.after)
        };
        differing.changes.iter().map(words).collect()
    }

    #[test]
    fn what_differs_is_found_member_by_member_and_without_secrets() {
        let before = [
            run(
                "Plan",
                &[("ParameterOverrides", r#"{"Tag": "v1", "DbPassword": "hunter2hunter2", "N": 1}"#)],
                &[],
            ),
            run("Image", &[], &[("ImageDigest", "sha256:aa"), ("CommitId", "1")]),
            run("Later", &[("Env", "prod")], &[]),
            run("Sign-off", &[("CustomData", "v1")], &[]),
        ];
        let after = [
            run(
                "Plan",
                &[("ParameterOverrides", r#"{"Tag": "v2", "DbPassword": "hunter3hunter3", "N": 1}"#)],
                &[],
            ),
            // An older run of the same action says nothing any more.
            run("Plan", &[("ParameterOverrides", r#"{"Tag": "v0"}"#)], &[]),
            run("Image", &[("Only", "here")], &[("ImageDigest", "sha256:bb"), ("CommitId", "2")]),
            run("Sign-off", &[("CustomData", "v2")], &[]),
        ];
        assert_eq!(
            told(&differing(&before, &after)),
            [
                r#"Image ImageDigest Some("sha256:aa") Some("sha256:bb")"#,
                r#"Image Only None Some("here")"#,
                r#"Plan ParameterOverrides.DbPassword Some("[masked]") Some("[masked]")"#,
                r#"Plan ParameterOverrides.Tag Some("v1") Some("v2")"#,
            ]
        );
        assert_eq!(told(&differing(&after, &after)), Vec::<String>::new());
        // Of a build's variables it is said which changed.
        let builds = |secret: &str| {
            let variables = format!(
                r#"[{{"name":"REGION_CODE","value":"{secret}","type":"PLAINTEXT"}},{{"name":"LEVEL","value":"debug"}}]"#
            );
            let nested = format!(r#"{{"steps":[{{"Name":"DB_PASSWORD","Value":"{secret}"}}]}}"#);
            run("Image", &[("EnvironmentVariables", &variables), ("UserParameters", &nested)], &[])
        };
        let found = told(&differing(&[builds("hunter2")], &[builds("hunter3")]));
        assert_eq!(
            found,
            [
                r#"Image EnvironmentVariables.REGION_CODE Some("[masked]") Some("[masked]")"#,
                r#"Image UserParameters.steps Some("[{\"Name\":\"DB_PASSWORD\",\"Value\":\"[masked]\"}]") Some("[{\"Name\":\"DB_PASSWORD\",\"Value\":\"[masked]\"}]")"#,
            ]
        );
        let cut_off = r#"[{"name": "A", "value": "hunter2"#;
        let broken = told(&differing(
            &[run("Image", &[("EnvironmentVariables", cut_off)], &[])],
            &[run("Image", &[("EnvironmentVariables", "")], &[])],
        ));
        assert_eq!(broken, [r#"Image EnvironmentVariables Some("[masked]") Some("[masked]")"#]);
        let many: Vec<(String, String)> = (0..20).map(|n| (format!("k{n:02}"), n.to_string())).collect();
        let many: Vec<(&str, &str)> =
            many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let found = differing(&[run("Plan", &[], &[])], &[run("Plan", &many, &[])]);
        assert_eq!((found.changes.len(), found.more), (DIFFERENCES, 20 - DIFFERENCES));
    }

    fn execution(id: &str, minute: i64, target: Option<&str>) -> PastExecution {
        let source = crate::aws::codepipeline::SourceRevision {
            action: "Source".to_owned(),
            id: Some(format!("c-{id}")),
            summary: Some(format!("\nWhat {id} does\n\nat length")),
        };
        PastExecution {
            summary: ExecutionSummary {
                id: id.to_owned(),
                rollback: target.is_some(),
                rollback_target: target.map(str::to_owned),
                status: "Succeeded".to_owned(),
                started: Timestamp::from_second(60 * minute).expect("a time"),
                updated: None,
                revision: Some(id.to_owned()),
                messages: Vec::new(),
                commit: None,
                started_by: None,
            },
            sources: vec![source],
        }
    }

    #[test]
    fn what_is_new_is_what_began_since_the_last_one_that_got_there() {
        // v1 got there, v2 was superseded, v3 got there and was taken back by a rollback to v1, v5 waits; v6 began later.
        let all = [
            execution("v6", 6, None),
            execution("v5", 5, None),
            execution("back", 4, Some("v1")),
            execution("v3", 3, None),
            execution("v2", 2, None),
            execution("v1", 1, None),
        ];
        let at = |minute: i64| Timestamp::from_second(60 * minute).expect("a time");
        let got_there: Vec<ExecutionSummary> =
            [2, 3, 5].map(|index: usize| all[index].summary.clone()).into();
        let had = before(&got_there, at(5)).expect("one got there");
        assert_eq!(had.id, "v1", "a rollback brings back what its target brought");
        assert_eq!(before(&got_there, at(4)).map(|had| had.id.as_str()), Some("v3"));
        assert_eq!(before(&got_there, at(1)), None);
        let found = coming("v5", Some(had), &[], &all, true, &Ok(got_there.clone()));
        let named: Vec<&str> = found.commits.iter().filter_map(|commit| commit.id.as_deref()).collect();
        assert_eq!((named, found.newer), (vec!["c-v5", "c-v3", "c-v2"], None));
        assert_eq!(found.commits[0].message.as_deref(), Some("What v5 does"));
        // In PARALLEL mode a newer one may have got there first.
        let newer = Ok(vec![all[0].summary.clone(), all[5].summary.clone()]);
        assert_eq!(coming("v5", Some(had), &[], &all, true, &newer).newer.as_deref(), Some("v6"));
        // The same revision again is nothing new.
        let mut again = execution("v5", 5, None);
        again.sources = all[5].sources.clone();
        let found = coming("v5", Some(had), &[], &[again, all[5].clone()], true, &Ok(got_there.clone()));
        assert_eq!(found.commits, []);
        let first = coming("v5", None, &[], &all, true, &Ok(Vec::new()));
        assert_eq!((first.commits.len(), first.more), (1, 0));
    }

    #[tokio::test]
    async fn what_does_not_answer_is_given_up_with_its_reason() {
        let never = std::future::pending::<Result<(), AwsError>>();
        let error = bounded(Duration::from_millis(1), "codepipeline:GetPipeline", never).await;
        let said = error.expect_err("it never answers").to_string();
        assert_eq!(
            said,
            "codepipeline:GetPipeline for what lies ahead failed: no answer within three seconds"
        );
        let known = bounded(Duration::from_secs(3), "x", async { Ok(7) }).await;
        assert_eq!(known, Ok(7));
    }
}
