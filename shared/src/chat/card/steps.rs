//! What a person should do now, reason by reason.

use crate::{
    cause::{Cause, Concerns, Retry},
    reason::{Reason, Silent, UndoneBy},
};

/// What a person should do about one reason, where there is something.
#[allow(clippy::too_many_lines, reason = "one arm for every reason, also for those that ask for nothing")]
pub(super) fn next_step(reason: &Reason) -> Option<String> {
    let step = match reason {
        Reason::ActionFailed { failed, .. } => return Some(mending(&failed.cause)),
        Reason::Because { cause } => return Some(mending(cause)),
        Reason::PassesByItself { .. } | Reason::RetriesSpent { .. } | Reason::NotApproved { .. } => {
            return None;
        }
        Reason::NoActionFailed { .. } => {
            "Look at the stage's conditions in the console: their rules and alarms say what was not met."
        }
        Reason::RuleSaysNotify { .. } => "Look at the alarm; the policy leaves this one to you.",
        Reason::NoReleaseToBlame { .. } => {
            "Look elsewhere than at releases: traffic, dependencies, the platform."
        }
        Reason::BeganBeforeRelease { .. } | Reason::AlreadyRedBefore { .. } => {
            "Find out what was wrong before this release; stop it by hand if it makes things worse."
        }
        Reason::EarlierReleaseToBlame { .. } => {
            "Look whether what runs now carries the same fault: it came after a release that went wrong."
        }
        Reason::OnlyHalted { .. } => {
            "Take the release back by hand: users may have part of it still, or all."
        }
        Reason::RunAgainSinceUndone { .. } => {
            "Find out who or what ran it again, and stop it or roll the stage back by hand if users are hurt."
        }
        Reason::RollbackIsFailing { .. } => {
            "Look now: if the alarm stays red once the rollback is done, what it went back to is bad as well."
        }
        Reason::EndedNotRolledBack { .. } | Reason::NoRollbackStarted => {
            "If no rollback begins, look at what users get now, and redeploy the last good revision if it is not good."
        }
        Reason::LeftAsItIs => {
            "Look at what users get now, and release what they should get if it is not that."
        }
        Reason::FinishedBeforeAlarm { .. } | Reason::UndoMissed { .. } => {
            "Redeploy the last good revision by hand if users are hurt: CodeDeploy, Deployments, the last good one, Copy deployment."
        }
        Reason::RuleSaysHalt { .. } => {
            "There is nothing left to halt; take the release back by hand if users are hurt."
        }
        Reason::CouldNotLearn { .. } => "Look whether users are hurt; Belay does not know enough to act.",
        Reason::NobodyAnswered { otherwise: Silent::Keeps, .. } => {
            "The release stays as it is; take it back by hand if that is wrong."
        }
        Reason::ReleaseBegan { target: crate::evidence::Target::None { .. } } => {
            "Watch this release yourself: an alarm can halt it, and nothing can bring the old state back."
        }
        Reason::ReleaseBeganTargetUnknown { .. } => "Watch this release yourself until you know.",
        Reason::RedAtStart { .. } => "Find out why it is red: until it is OK once, it guards nothing.",
        Reason::UnreadAtStart { .. } => {
            "Check that the alarm exists and that Belay may read it; when it goes off, Belay looks at its history instead."
        }
        Reason::StackDrifted { .. } => {
            "Set it right by hand, or write into the template what is meant and update the stack: the next update may take the change back, or fail on it."
        }
        Reason::LeftByUndo { .. } => {
            "The template still says what was taken back: release what is meant before the stack is updated again."
        }
        Reason::UndoUnknown { .. } => "Look which version users get before the stack is updated again.",
        Reason::StackNotChecked { .. } => {
            "Look at the stack: its state must allow drift detection, and Belay's role must be allowed to detect it."
        }
        Reason::StackPartlyChecked { .. }
        | Reason::ResourceUnchecked { .. }
        | Reason::DetectionIncomplete => {
            "Give the role of stack-drift the right to read these resources (docs/operations.md)."
        }
        Reason::NotWatched { .. }
        | Reason::NotInAlarm { .. }
        | Reason::Muted { .. }
        | Reason::Suppressed { .. }
        | Reason::AlreadyJudged { .. }
        | Reason::AlreadyUndone {
            by: UndoneBy::Belay { .. } | UndoneBy::BelayRightNow { .. } | UndoneBy::Deployer { .. },
            ..
        }
        | Reason::NoGoodTarget { .. }
        | Reason::AlarmWasFlapping { .. }
        | Reason::MarkedNoRollback { .. }
        | Reason::RuleSaysAsk { .. }
        | Reason::BudgetSpent { .. }
        | Reason::MissingCountsAsAlarm { .. }
        | Reason::AlreadyWouldHave { .. }
        | Reason::Scoreboard { .. }
        | Reason::AnswerBy { .. }
        | Reason::NobodyAnswered {
            otherwise: Silent::RollsBack | Silent::LooksAgain | Silent::LetsThrough | Silent::HoldsUp,
            ..
        }
        | Reason::QuestionOvertaken { .. }
        | Reason::Restored { .. }
        | Reason::RedAgain { .. }
        | Reason::FoundBySweep
        | Reason::NoRollbackFollowed { .. }
        | Reason::StillDeployed { .. }
        | Reason::AlarmAfterRelease { .. }
        | Reason::RollbackNotHeldUp { .. }
        | Reason::WouldHaveFailed
        | Reason::WouldHaveAsked
        | Reason::HookLeftWaiting { .. }
        | Reason::AlarmDuringRelease { .. }
        | Reason::NotGuarded { .. }
        | Reason::NothingToDo { .. }
        | Reason::NotARelease { .. }
        | Reason::Watching { .. }
        | Reason::ReleaseBegan { target: crate::evidence::Target::KnownGood { .. } }
        | Reason::RollbackBegan { .. }
        | Reason::StartCameLate { .. }
        | Reason::ReleaseEnded { .. }
        | Reason::DeployerRollsBack { .. }
        | Reason::BelayAskedForIt { .. }
        | Reason::RollbackDone { .. }
        | Reason::StaysOnWatch { .. }
        | Reason::ChecksPassed { .. }
        | Reason::CheckPassed { .. }
        | Reason::CheckFailed { .. }
        | Reason::CheckInDoubt { .. }
        | Reason::OnDoubtAnswers { .. }
        | Reason::NotConfigured { .. }
        | Reason::PersonChose { .. }
        | Reason::IsRollback { .. }
        | Reason::UndoneAlready { .. }
        | Reason::NothingToHalt
        | Reason::NothingToRetry
        | Reason::HookWaits { .. }
        | Reason::NobodyApproved { .. }
        | Reason::Ahead(_)
        | Reason::ManualWaits { .. }
        | Reason::ManualAnsweredElsewhere { .. }
        | Reason::ManualIsNoQuestion { .. }
        | Reason::OwnFailure { .. }
        | Reason::StackNotNamed { .. }
        | Reason::DetectionCameLate { .. }
        | Reason::StackUnchanged { .. }
        | Reason::StackInSync { .. }
        | Reason::PropertyDrifted { .. }
        | Reason::ResourceDeleted { .. }
        | Reason::MoreDrift { .. }
        | Reason::MovedByReleases { .. } => return None,
    };
    Some(step.to_owned())
}

/// What to do about a failure, who has to, and whether it can be tried again.
fn mending(cause: &Cause) -> String {
    let whom = match cause.concerns {
        Concerns::Unknown => String::new(),
        Concerns::Author
        | Concerns::PipelineOwner
        | Concerns::AccountOwner
        | Concerns::NetworkOwner
        | Concerns::Approvers
        | Concerns::Outside => format!(" It concerns {}.", cause.concerns),
    };
    let again = match cause.retry {
        Retry::Helps => " Trying it again can help.",
        Retry::DoesNot => " Trying it again without that will not help.",
        Retry::Unknown => "",
    };
    format!("{}{whom}{again}", cause.to_do)
}
