//! Lets go wrong what a script says: from its words to the simulator's.

use crate::{
    Break, Cause, Commit, FailedBuild, LogLine, Simulator,
    stage::script::{BreaksScript, BuildScript, CommitScript, LineScript, Rehearsal, StageWork},
};

/// Declares the actions that will fail as what they are then: from the beginning, as in a real pipeline.
pub(super) fn declare(simulator: &Simulator, rehearsal: &Rehearsal) -> Result<(), String> {
    for breaks in rehearsal.script.iter().filter_map(|event| event.breaks.as_ref()) {
        simulator.declare_broken(pipeline(rehearsal, breaks)?, &as_told(breaks)?);
    }
    Ok(())
}

/// Lets it fail from now on.
pub(super) fn breaks(
    simulator: &Simulator,
    rehearsal: &Rehearsal,
    breaks: &BreaksScript,
) -> Result<(), String> {
    simulator.break_stage(pipeline(rehearsal, breaks)?, as_told(breaks)?);
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

/// The pipeline, which must have the stage.
fn pipeline<'a>(rehearsal: &'a Rehearsal, breaks: &BreaksScript) -> Result<&'a str, String> {
    let pipeline = rehearsal.service.pipeline.as_ref();
    let pipeline = pipeline.ok_or("the service has no `pipeline` of which a stage could break")?;
    let stage = pipeline.stages.iter().find(|stage| stage.name == breaks.stage);
    let stage =
        stage.ok_or_else(|| format!("the pipeline {} has no stage `{}`", pipeline.name, breaks.stage))?;
    for (given, wanted, what) in [
        (breaks.build.is_some(), StageWork::Build, "builds"),
        (
            breaks.stack.is_some() || breaks.function.is_some(),
            StageWork::Deploy,
            "deploys without CodeDeploy",
        ),
    ] {
        if given && stage.does != wanted {
            return Err(format!("the stage {} is none that {what}, so it cannot break so", stage.name));
        }
    }
    Ok(&pipeline.name)
}

fn as_told(breaks: &BreaksScript) -> Result<Break, String> {
    let BreaksScript { stage, times, action, build, stack, function } = breaks;
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
    let cause = causes.pop().unwrap_or(Cause::Action);
    if !causes.is_empty() {
        return Err(format!("the stage {stage} breaks for one reason: give one of build, stack, function"));
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
