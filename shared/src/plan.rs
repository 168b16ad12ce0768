//! From a decision to the actions it takes: an ordered list that leaves no choice open.

pub mod check;

use jiff::Timestamp;

use crate::{
    approval::Choice,
    decision::{self, Asking, Decision, Effect, HookAnswer, Verdict},
    dora::{Measured, Trouble, measured},
    evidence::Undone,
    ledger::{
        About, Began, DecisionRecord, Ended, Half, Incident, Note, Offer, OwedMessage, Partition,
        PipelineApproval, Question, WaitingHook, Watch, Would,
    },
    message::OnCard,
    reason::{Reason, Silent},
    release::{HookExecutionId, Place, ReleaseId, ReleaseStatus, Stage},
    signal::{AlarmState, Signal},
};

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a plan that nobody carries out is silence"]
pub struct Plan {
    /// The decision that it carries out.
    pub decision: Decision,
    /// What to do.
    pub actions: Vec<Action>,
}

/// One thing to do. Each is safe to be asked for twice, under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Do something to a release. Claimed under the release's one undo key.
    Undo {
        /// The release, and the partition of the claim.
        release: ReleaseId,
        /// What.
        effect: Effect,
        /// Which part of its undo that is.
        half: Half,
    },
    /// Answer a lifecycle hook. CodeDeploy itself takes only the first answer.
    Answer {
        /// The deployment that waits.
        deployment: ReleaseId,
        /// The call that waits.
        execution: HookExecutionId,
        /// The answer.
        answer: HookAnswer,
    },
    /// Answer a pipeline's manual approval. CodePipeline itself takes only the first answer.
    Approve {
        /// Which.
        approval: PipelineApproval,
        /// Whether it lets the pipeline go on.
        approved: bool,
        /// What CodePipeline keeps of it.
        summary: String,
    },
    /// Run again what failed in a pipeline's stage.
    Retry {
        /// The stage.
        stage: Stage,
        /// The execution.
        execution: String,
        /// The release, and the partition of the claim.
        release: ReleaseId,
        /// What was answered: an answer is carried out once.
        key: String,
        /// Whether an undo of the release that has begun by then forbids it: what is run again by itself may be overtaken
        /// by an alarm between its decision and its turn. A person knows what they want.
        unless_undone: bool,
    },
    /// Write down how a release began, unless that is written down already.
    Open {
        /// The release.
        release: ReleaseId,
        /// How it began.
        began: Box<Began>,
    },
    /// Write down how a release ended, unless that is written down already.
    Close {
        /// The release.
        release: ReleaseId,
        /// How it ended.
        ended: Ended,
    },
    /// Write down the decision, unless that is written down already.
    Record {
        /// Where.
        partition: Partition,
        /// What.
        record: DecisionRecord,
    },
    /// Remember or forget one thing.
    Keep(Note),
    /// Tell people of the decision and of what came of it: the topic first, then the chat products, each with a claim
    /// under the message's key.
    Tell {
        /// Where the message is written down before it is sent.
        partition: Partition,
        /// Its key there.
        key: String,
    },
    /// Show a release's card as it is now.
    Show(OnCard),
    /// Send a message that an earlier invocation wrote down and did not send.
    SendOwed(Box<OwedMessage>),
    /// Count something for the measures, once.
    Measure(Measured),
}

/// What the plan needs besides the decision.
pub struct Circumstances<'a> {
    /// The signal that was judged.
    pub signal: &'a Signal,
    /// How the release began, if this signal says so.
    pub began: Option<Began>,
    /// How it ended, if this signal says so.
    pub ended: Option<Ended>,
    /// That the release is on watch, if nobody has written that down.
    pub watch: Option<Watch>,
    /// The incident that the signal ends.
    pub incident: Option<&'a Incident>,
    /// What had gone wrong with the release before.
    pub trouble: Option<Trouble>,
    /// What is known of the release beyond the decision, to be remembered with it.
    pub notes: Vec<Note>,
    /// What is over once the decision is told.
    pub over: Vec<Note>,
    /// The key of the decision's message, where that is not the signal's.
    pub message: Option<String>,
    /// What is owed for this release.
    pub owed: &'a [OwedMessage],
    /// When it was decided.
    pub now: Timestamp,
}

impl<'a> Circumstances<'a> {
    /// A signal, judged now, and nothing else.
    pub fn of(signal: &'a Signal, now: Timestamp) -> Self {
        Self {
            signal,
            began: None,
            ended: None,
            watch: None,
            incident: None,
            trouble: None,
            notes: Vec::new(),
            over: Vec::new(),
            message: None,
            owed: &[],
            now,
        }
    }
}

/// Makes the plan for one decision.
pub fn plan(decision: Decision, around: Circumstances<'_>) -> Plan {
    let mut actions = Vec::new();
    let partition = partition(&decision, around.signal);

    // A release whose beginning nobody saw has to be on watch before anything is done to it: should this invocation
    // die on the way, the sweep finds it there. Apart from that, undoing never waits for anything that tells or
    // remembers.
    if decision.effect.is_some() && !decision.observed {
        actions.extend(around.watch.clone().map(Note::Watched).map(Action::Keep));
    }
    actions.extend(effects(&decision, &around));

    if let Some(subject) = &decision.release {
        let release = subject.deployment.id.clone();
        if let Some(began) = around.began.clone() {
            actions.push(Action::Open { release: release.clone(), began: Box::new(began) });
        }
        if let Some(ended) = around.ended.clone() {
            actions.push(Action::Close { release, ended });
        }
    }
    if decision.verdict != Verdict::LookAgain {
        actions.push(Action::Record {
            partition: partition.clone(),
            record: DecisionRecord {
                service: decision.service.clone(),
                verdict: decision.verdict,
                reasons: decision.reasons.clone(),
                signal: around.signal.key(),
                at: around.now,
            },
        });
    }
    let key = message_key(&decision, around.signal).map(|key| around.message.clone().unwrap_or(key));
    actions.extend(notes(&decision, &around, key.as_deref()).into_iter().map(Action::Keep));
    // The message of this very decision, if an earlier delivery wrote it down, is told as such and not sent twice.
    // What else is owed comes last: sending it must not keep this one from being written down.
    let owed = around.owed.iter().filter(|owed| owed.until <= around.now);
    let owed = owed.filter(|owed| owed.partition != partition || Some(&owed.key) != key.as_ref());
    let owed: Vec<Action> = owed.cloned().map(|owed| Action::SendOwed(Box::new(owed))).collect();
    if let Some(key) = key {
        actions.push(Action::Tell { partition, key });
    }
    actions.extend(shows(&decision, around.signal));
    actions.extend(would(&decision, around.now).map(Note::Would).map(Action::Keep));
    let closed = match (around.incident, around.signal) {
        (Some(open), Signal::Alarm(change)) => Some(Incident { ended: Some(change.at), ..open.clone() }),
        (_, _) => None,
    };
    // Last of what is news: nobody waits for a number.
    let counted = measured(&decision, around.ended.as_ref(), around.trouble, closed.as_ref(), around.now);
    actions.extend(counted.into_iter().map(Action::Measure));
    // Over only now: whoever comes after a crash before this finds it open and finishes it.
    if decision.verdict != Verdict::LookAgain {
        actions.extend(around.over.into_iter().map(Action::Keep));
        actions.extend(closed.map(Note::Restored).map(Action::Keep));
    }
    actions.extend(owed);
    Plan { decision, actions }
}

/// What is done to a release, to its hook or to its pipeline.
fn effects(decision: &Decision, around: &Circumstances<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    match (decision.verdict, &decision.release, around.signal) {
        (Verdict::RollBack | Verdict::Halt, Some(subject), _) => {
            if let (Some(effect), false) = (&decision.effect, decision.observed) {
                let (release, effect) = (subject.deployment.id.clone(), effect.clone());
                actions.push(Action::Undo { release, effect, half: decision.half });
            }
        }
        (Verdict::Answer(answer), _, Signal::Hook(call) | Signal::HookLeft(call)) => {
            actions.push(Action::Answer {
                deployment: call.deployment.clone(),
                execution: call.execution.clone(),
                answer,
            });
        }
        (Verdict::Answer(answer), _, Signal::Approval(approval)) => match &approval.offer.about {
            About::Hook { call, .. } => actions.push(Action::Answer {
                deployment: call.deployment.clone(),
                execution: call.execution.clone(),
                answer,
            }),
            About::Pipeline(manual) => actions.push(Action::Approve {
                approval: manual.clone(),
                approved: answer == HookAnswer::Succeeded,
                summary: decision::approval::summary(&approval.press),
            }),
            About::Question(_) | About::Release => {}
        },
        // The stage that failed may be another one than that which releases.
        (Verdict::Retry, Some(subject), Signal::StageFailed(failed)) => {
            if !decision.observed {
                actions.push(Action::Retry {
                    stage: failed.stage.clone(),
                    execution: failed.execution.clone(),
                    release: subject.deployment.id.clone(),
                    key: around.signal.key(),
                    unless_undone: true,
                });
            }
        }
        (Verdict::Retry, Some(subject), _) => {
            if let (Place::Stage(stage), Some(execution)) =
                (&subject.deployment.place, subject.deployment.id.execution())
            {
                let execution = execution.to_owned();
                let (release, key) = (subject.deployment.id.clone(), around.signal.key());
                let stage = stage.clone();
                actions.push(Action::Retry { stage, execution, release, key, unless_undone: false });
            }
        }
        (
            Verdict::Ignore
            | Verdict::Notify(_)
            | Verdict::LookAgain
            | Verdict::Ask
            | Verdict::Halt
            | Verdict::RollBack
            | Verdict::Retry
            | Verdict::Answer(_),
            _,
            _,
        ) => {}
    }
    actions
}

/// The card that is to be shown anew: that of the release which was judged, or of the one that an answer was about
/// although another one is there by now.
fn shows(decision: &Decision, signal: &Signal) -> Option<Action> {
    if decision.verdict == Verdict::LookAgain {
        return None;
    }
    let (release, service, place) = match (&decision.release, &decision.service, signal) {
        (Some(subject), Some(service), _) if subject.deployment.is_release() => {
            (&subject.thread, service, &subject.deployment.place)
        }
        (None, _, Signal::Approval(approval)) => {
            let Offer { release, service, place, .. } = &approval.offer;
            (release, service, place)
        }
        (_, _, _) => return None,
    };
    Some(Action::Show(OnCard { release: release.clone(), service: service.clone(), place: place.clone() }))
}

/// What would have been done. It silences the release's other alarms, so it is remembered only once it is told.
fn would(decision: &Decision, now: Timestamp) -> Option<Would> {
    let release = decision.release.as_ref()?.deployment.id.clone();
    let service = decision.service.clone()?;
    let verdict = decision.verdict;
    (decision.observed && decision.effect.is_some()).then_some(Would {
        service,
        release,
        verdict,
        at: now,
        ended: None,
    })
}

/// What is remembered beside the decision. Before the message: an effect is called done only once that is written
/// down, and a question that is told without a deadline in the ledger would never be answered.
fn notes(decision: &Decision, around: &Circumstances<'_>, key: Option<&str>) -> Vec<Note> {
    let mut notes = Vec::new();
    if decision.verdict == Verdict::LookAgain {
        return notes;
    }
    if decision.effect.is_none() || decision.observed {
        notes.extend(around.watch.clone().map(Note::Watched));
    }
    // A rollback is part of the story of what it takes back, and no release of its own to anybody who asks.
    let takes_back = decision.release.as_ref().is_some_and(|subject| subject.deployment.is_rollback());
    // Nor is one that waits for its pipeline: it is listed when it begins, by that time.
    let began = |_: &Watch| {
        decision.release.as_ref().is_none_or(|subject| subject.deployment.status != ReleaseStatus::Created)
    };
    notes.extend(around.watch.clone().filter(|_| !takes_back).filter(began).map(Note::Listed));
    notes.extend(around.notes.iter().cloned());
    let release = decision.release.as_ref().map(|subject| subject.deployment.id.clone());
    let Some(service) = &decision.service else {
        return notes;
    };
    if let (Some(release), Some(effect)) = (&release, &decision.effect)
        && !decision.observed
        && effect.takes_back()
    {
        let undone = Undone { release: release.clone(), at: around.now };
        notes.push(Note::TookBack(service.clone(), undone));
    }
    notes.extend(asked_elsewhere(decision, around));
    let Some(change) = around.signal.alarm() else {
        return notes;
    };
    if let Some(release) = decision.blames.clone() {
        notes.push(Note::Blamed { release, alarm: change.alarm.clone(), at: around.now });
    }
    if let (Some(asking), Some(key)) = (&decision.question, key) {
        let question = Question {
            // One alarm may ask about the releases of several places: each is a question of its own.
            key: release.as_ref().map_or_else(|| key.to_owned(), |release| format!("{key}@{release}")),
            service: service.clone(),
            release: release.clone(),
            unread: if release.is_none() { decision.unread.clone() } else { Vec::new() },
            change: change.clone(),
            asked: around.now,
            deadline: asking.deadline,
            otherwise: asking.otherwise,
        };
        // An answer about the one release says nothing of where another one may be: that is looked at again all the same.
        if release.is_some() && !decision.unread.is_empty() && asking.otherwise != Silent::Keeps {
            let (key, unread) = (key.to_owned(), decision.unread.clone());
            notes.push(Note::Asked(Question { key, release: None, unread, ..question.clone() }));
        }
        // What can be answered is written down before that it waits: a question that nobody can answer yet is worse
        // than one whose silence nobody counts yet.
        notes.extend(offer(decision, &question).map(Note::Offered));
        notes.push(Note::Asked(question));
    }
    if matches!(around.signal, Signal::Alarm(_))
        && change.to != AlarmState::Ok
        && decision.verdict != Verdict::Ignore
    {
        notes.push(Note::Broke(Incident {
            alarm: change.alarm.clone(),
            service: service.clone(),
            began: change.at,
            release,
            ended: None,
        }));
    }
    notes
}

/// A question about an alarm, as people may answer it. None where no release is concerned: there is nothing to act on.
fn offer(decision: &Decision, question: &Question) -> Option<Offer> {
    let release = &decision.release.as_ref()?.deployment;
    let nowhere = decision.reasons.iter().any(|reason| matches!(reason, Reason::NoGoodTarget { .. }));
    let choices = if nowhere || decision.observed || release.is_rollback() {
        vec![Choice::Keep, Choice::Extend]
    } else {
        vec![Choice::RollBack, Choice::Keep, Choice::Extend]
    };
    Some(Offer {
        key: format!("question/{}", question.key),
        service: question.service.clone(),
        release: release.id.clone(),
        place: release.place.clone(),
        about: About::Question(Box::new(question.clone())),
        choices,
        asked: question.asked,
        deadline: Some(question.deadline),
        otherwise: Some(question.otherwise),
        ahead: None,
    })
}

/// What is asked of people that is no alarm's question: a hook's or a pipeline's approval, and a question that is asked
/// again.
fn asked_elsewhere(decision: &Decision, around: &Circumstances<'_>) -> Vec<Note> {
    let (Some(service), Some(subject)) = (&decision.service, &decision.release) else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    if let (Some(question), Signal::Approval(approval)) = (&decision.extends, around.signal) {
        notes.push(Note::Offered(Offer {
            key: format!("question/{}", question.key),
            about: About::Question(Box::new(question.clone())),
            asked: question.asked,
            deadline: Some(question.deadline),
            ..approval.offer.clone()
        }));
        notes.push(Note::Asked(question.clone()));
    }
    let Some(about) = &decision.waits else {
        return notes;
    };
    let asking = decision.question;
    let key = match (about, around.signal) {
        (About::Pipeline(_), Signal::Manual(change)) => change.key(),
        (About::Hook { .. } | About::Pipeline(_) | About::Question(_) | About::Release, signal) => {
            signal.key()
        }
    };
    notes.push(Note::Offered(Offer {
        key,
        service: service.clone(),
        release: subject.deployment.id.clone(),
        place: subject.deployment.place.clone(),
        about: about.clone(),
        choices: vec![Choice::Approve, Choice::Reject],
        asked: around.now,
        deadline: asking.map(|asking| asking.deadline),
        otherwise: asking.map(|asking| asking.otherwise),
        ahead: decision.reasons.iter().find_map(|reason| match reason {
            Reason::Ahead(ahead) => Some(ahead.clone()),
            _ => None,
        }),
    }));
    if let (About::Hook { call, .. }, Some(Asking { deadline, otherwise })) = (about, asking) {
        let since = around.now;
        notes.push(Note::WaitsForPerson(WaitingHook {
            call: call.clone(),
            since,
            until: deadline,
            otherwise: Some(otherwise),
        }));
    }
    notes
}

/// Where the decision and its message are written down.
fn partition(decision: &Decision, signal: &Signal) -> Partition {
    if let Signal::Stack(check) = signal {
        return Partition::Stack(check.stack.clone());
    }
    let release = decision.release.as_ref().map(|subject| &subject.deployment.id).or(signal.release());
    match (release, signal.alarm()) {
        (Some(release), _) => Partition::Release(release.clone()),
        (None, Some(change)) => Partition::Alarm(change.alarm.clone()),
        (None, None) => Partition::Signal(signal.key()),
    }
}

/// One key per message: the undo's own, shared by whatever alarms led to it; otherwise the signal's, once
/// per service that decided for itself.
fn message_key(decision: &Decision, signal: &Signal) -> Option<String> {
    match decision.verdict {
        Verdict::Ignore | Verdict::LookAgain => None,
        // What would have been done must not keep quiet what is done later.
        Verdict::RollBack | Verdict::Halt if decision.observed => Some("would".to_owned()),
        Verdict::RollBack | Verdict::Halt => Some(match decision.half {
            Half::Whole => "undo".to_owned(),
            Half::Second => "redeploy".to_owned(),
        }),
        Verdict::Notify(_) | Verdict::Ask | Verdict::Answer(_) | Verdict::Retry => {
            Some(match &decision.service {
                Some(service) => format!("{service}/{}", signal.key()),
                None => signal.key(),
            })
        }
    }
}
