//! Lets go wrong what a script says: from its words to the simulator's.

use crate::{
    Break, Cause, Commit, Diagnosed, FailedBuild, FailedDeployment, FailedTargets, FailedTasks, LogLine,
    Simulator, StoppedContainer, StoppedTask, TargetNow,
    stage::script::{
        BreaksScript, BuildScript, CommitScript, DeploymentScript, LineScript, Rehearsal, StageWork,
        StoppedScript, TargetsScript, TasksScript,
    },
};

/// Declares the actions that will fail as what they are then: from the beginning, as in a real pipeline.
pub(super) fn declare(simulator: &Simulator, rehearsal: &Rehearsal) -> Result<(), String> {
    for breaks in rehearsal.script.iter().filter_map(|event| event.breaks.as_ref()) {
        if let Some(stage) = &breaks.stage {
            simulator.declare_broken(pipeline(rehearsal, stage, breaks)?, &as_told(stage, breaks)?);
        }
    }
    Ok(())
}

/// Lets it fail from now on.
pub(super) fn breaks(
    simulator: &Simulator,
    rehearsal: &Rehearsal,
    breaks: &BreaksScript,
) -> Result<(), String> {
    match (&breaks.stage, &breaks.deployment) {
        (Some(stage), _) => {
            simulator.break_stage(pipeline(rehearsal, stage, breaks)?, as_told(stage, breaks)?);
        }
        (None, Some(deployment)) => {
            let failure = failed_deployment(deployment);
            simulator.break_deployments(&rehearsal.service.group, failure, breaks.times);
        }
        (None, None) => return Err("`breaks` names neither a `stage` nor a `deployment`".to_owned()),
    }
    Ok(())
}

/// What is said about a release's commit.
pub(super) fn commit(script: Option<&CommitScript>) -> Commit {
    script.map_or_else(Commit::default, |script| Commit {
        message: script.message.clone(),
        author: script.author.clone(),
        email: script.email.clone(),
        branch: script.branch.clone(),
        date: script.date,
    })
}

/// The pipeline, which must have the stage, and the stage must be one that can break so.
fn pipeline<'a>(rehearsal: &'a Rehearsal, stage: &str, breaks: &BreaksScript) -> Result<&'a str, String> {
    let pipeline = rehearsal.service.pipeline.as_ref();
    let pipeline = pipeline.ok_or("the service has no `pipeline` of which a stage could break")?;
    let known = pipeline.stages.iter().find(|known| known.name == stage);
    let known = known.ok_or_else(|| format!("the pipeline {} has no stage `{stage}`", pipeline.name))?;
    let alone = breaks.tasks.is_some() && breaks.deployment.is_none();
    let outside = breaks.stack.is_some() || breaks.function.is_some() || alone;
    for (given, wanted, what) in [
        (breaks.build.is_some(), StageWork::Build, "builds"),
        (breaks.deployment.is_some(), StageWork::CodeDeploy, "deploys with CodeDeploy"),
        (outside, StageWork::Deploy, "deploys without CodeDeploy"),
    ] {
        if given && known.does != wanted {
            return Err(format!("the stage {stage} is none that {what}, so it cannot break so"));
        }
    }
    Ok(&pipeline.name)
}

fn as_told(stage: &str, breaks: &BreaksScript) -> Result<Break, String> {
    let BreaksScript { stage: _, times, action, build, deployment, tasks, stack, function } = breaks;
    if let Some(build) = build.as_ref().filter(|build| !FailedBuild::is_phase(&build.phase)) {
        return Err(format!("CodeBuild has no phase `{}` that could fail", build.phase));
    }
    let mut causes = Vec::new();
    causes.extend(build.as_ref().map(|build| Cause::Build(failed_build(build))));
    causes.extend(
        stack.as_ref().map(|stack| Cause::Stack { name: stack.name.clone(), status: stack.status.clone() }),
    );
    causes.extend(
        function.as_ref().map(|function| Cause::Function {
            name: function.name.clone(),
            message: function.message.clone(),
        }),
    );
    match (deployment, tasks) {
        (Some(deployment), tasks) => causes.push(Cause::Deployment {
            failure: failed_deployment(deployment),
            tasks: tasks.as_ref().map(failed_tasks),
        }),
        (None, Some(tasks)) => causes.push(Cause::Tasks(failed_tasks(tasks))),
        (None, None) => {}
    }
    let cause = causes.pop().unwrap_or(Cause::Action);
    if !causes.is_empty() {
        return Err(format!(
            "the stage {stage} breaks for one reason: give one of build, deployment, tasks, stack, function"
        ));
    }
    Ok(Break {
        times: *times,
        code: action.code.clone(),
        message: action.message.clone(),
        ..Break::of(stage, cause)
    })
}

fn failed_build(script: &BuildScript) -> FailedBuild {
    let mut log: Vec<LogLine> = script
        .log
        .iter()
        .map(|line| match line {
            LineScript::Once(text) => LogLine::of(text),
            LineScript::Repeated(repeated) => LogLine::repeated(&repeated.line, repeated.times),
        })
        .collect();
    if let Some(first) = log.first_mut() {
        first.times += script.log_repeated;
    }
    FailedBuild {
        status: script.status.clone(),
        vpc: script.vpc.clone(),
        no_log_yet: script.no_log_yet,
        year_old: script.year_old,
        ..FailedBuild::of(&script.project, &script.phase, &script.code, &script.message).log(log)
    }
}

fn failed_deployment(script: &DeploymentScript) -> FailedDeployment {
    let events = script.events.iter().map(|event| Diagnosed {
        code: event.code.clone(),
        script: event.script.clone(),
        message: event.message.clone(),
        log_tail: event.log_tail.clone(),
        ..Diagnosed::of(&event.event, event.status.name())
    });
    FailedDeployment { code: script.code.clone(), message: script.message.clone(), events: events.collect() }
}

fn failed_tasks(script: &TasksScript) -> FailedTasks {
    FailedTasks {
        stopped: script.stopped.iter().map(stopped_task).collect(),
        events: script.events.clone(),
        rollout: script.rollout.clone(),
        targets: script.targets.as_ref().map(failed_targets),
        ..FailedTasks::of(&script.cluster, &script.service)
    }
}

fn stopped_task(script: &StoppedScript) -> StoppedTask {
    let containers = script.containers.iter().map(|container| StoppedContainer {
        name: container.name.clone(),
        exit_code: container.exit_code,
        reason: container.reason.clone(),
        health: container.health.clone(),
    });
    StoppedTask { reason: script.reason.clone(), code: script.code.clone(), containers: containers.collect() }
}

fn failed_targets(script: &TargetsScript) -> FailedTargets {
    let targets = script.unhealthy.iter().map(|target| TargetNow {
        id: target.id.clone(),
        port: target.port,
        state: "unhealthy".to_owned(),
        reason: Some(target.reason.clone()),
        description: Some(target.description.clone()).filter(|text| !text.is_empty()),
    });
    FailedTargets {
        group: script.group.clone(),
        path: script.path.clone(),
        port: script.port.clone(),
        matcher: script.matcher.clone(),
        targets: targets.collect(),
    }
}
