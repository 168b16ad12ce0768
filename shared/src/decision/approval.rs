//! A person answered: whether that counts, and what follows.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::alarm::{halting, standing_undo};
use crate::{
    approval::{Choice, Person},
    decision::{DELIVERIES, Decision, Effect, HookAnswer, Urgency, Verdict, could_not_learn},
    evidence::{ApprovalEvidence, Back, PlaceEvidence},
    ledger::{About, Answered, EffectState, Offer, Press, Question, ReleaseLedger, Watch},
    policy::{Mode, Policy, Service},
    reason::{Reason, Reasons, UndoneBy},
    release::{Change, Phase, Place, Platform, Release, ReleaseStatus},
    signal::{Approval, ManualChange},
};

/// Why a press does not count. Each is a sentence for whoever pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The policy does not name them.
    NotAnApprover,
    /// They wanted the release themselves.
    OwnRelease,
    /// The offer has no such choice.
    NotOffered(Choice),
    /// The deadline had passed.
    TooLate(Timestamp),
    /// The policy has no such service any more.
    NotGuarded,
    /// Somebody was first.
    AnsweredBefore(Box<Answered>),
    /// It could not be carried out for so long that doing it now would surprise everybody.
    GivenUp,
    /// The same, of an undo that has begun.
    GoesOn,
    /// Somebody else's answer comes first.
    NotYet {
        /// Whose, as a sentence.
        why: String,
    },
}

/// For how long a press that cannot be carried out is tried again. A hook's answer is wanted for as long as CodeDeploy
/// waits, and harms nobody.
pub fn patience(about: &About) -> SignedDuration {
    match about {
        About::Hook { .. } => SignedDuration::from_mins(60),
        About::Question(_) | About::Pipeline(_) | About::Release => SignedDuration::from_mins(15),
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnApprover => {
                f.write_str("You are not among the approvers that the policy names for this service.")
            }
            Self::OwnRelease => f.write_str(
                "This release is your own: somebody else has to let it go on. You may halt it, reject it, retry it or roll it back.",
            ),
            Self::NotOffered(choice) => write!(f, "“{choice}” is not among the choices here."),
            Self::TooLate(deadline) => {
                write!(f, "The time to answer was over at {deadline:.0}; what the policy says about silence holds.")
            }
            Self::NotGuarded => f.write_str("The policy does not guard this service any more."),
            Self::GivenUp => f.write_str(
                "Belay could not carry this out for too long, and will not do it any more. Look at the release, and press again.",
            ),
            Self::GoesOn => f.write_str(
                "Belay has not been able to carry this out yet. It goes on trying every minute; look at the release.",
            ),
            Self::NotYet { why } => write!(f, "It cannot be rolled back yet: {why}"),
            // Who was first, and what came of it, is said where the product's way of naming people is known.
            Self::AnsweredBefore(_) => f.write_str("Somebody was first."),
        }
    }
}

/// Whether a choice lets a release go on. Who wanted the release may not choose it, so that for these, and for no others,
/// it has to be known who did. To retry is no approval: what failed has to pass all the same.
pub fn lets_go_on(choice: Choice) -> bool {
    match choice {
        Choice::Keep | Choice::Extend | Choice::Approve => true,
        Choice::RollBack | Choice::Halt | Choice::Reject | Choice::Retry => false,
    }
}

/// Whether a person's answer counts. `live` is the change as the deployer describes it now; it may be left out for a
/// choice that does not let the release go on ([`lets_go_on`]). People who wanted a release may always stop it.
///
/// # Errors
/// Why it does not.
pub fn may(
    policy: &Policy,
    offer: &Offer,
    ledger: &ReleaseLedger,
    live: Option<&Change>,
    press: &Press,
) -> Result<(), Refused> {
    let service = policy.service(&offer.service).ok_or(Refused::NotGuarded)?;
    let approver = service.approvers.iter().find(|approver| approver.user == press.by.user);
    let approver = approver.ok_or(Refused::NotAnApprover)?;
    if !offer.choices.contains(&press.choice) {
        return Err(Refused::NotOffered(press.choice));
    }
    let known = ledger.began.as_ref().map(|began| &began.change);
    let wanted_by = known.into_iter().chain(live).flat_map(|change| &change.requested_by);
    if lets_go_on(press.choice) && wanted_by.into_iter().any(|name| approver.is(name)) {
        return Err(Refused::OwnRelease);
    }
    if let Some(first) = ledger.answers.get(&offer.key)
        && !is_this(first, press)
    {
        return Err(Refused::AnsweredBefore(Box::new(first.clone())));
    }
    match offer.deadline {
        Some(deadline) if press.at > deadline => Err(Refused::TooLate(deadline)),
        Some(_) | None => Ok(()),
    }
}

/// How long after a hook was called a press is waited for at most: CodeDeploy waits for an hour.
const LAST_CALL: SignedDuration = SignedDuration::from_mins(58);

/// Whether silence has to wait for a press that is not judged yet: it is tried for as long as that. Whoever may not answer
/// holds nothing up; of those who may not let the release go on, what is known counts.
pub fn holds_up(
    policy: &Policy,
    offer: &Offer,
    ledger: &ReleaseLedger,
    press: &Press,
    now: Timestamp,
) -> bool {
    let over = matches!(offer.about, About::Hook { .. }) && now.duration_since(offer.asked) > LAST_CALL;
    !over
        && now.duration_since(press.at) <= patience(&offer.about)
        && may(policy, offer, ledger, None, press).is_ok()
}

/// Whether an offer's one answer is this very press, handled before.
pub fn is_this(answered: &Answered, press: &Press) -> bool {
    matches!(&answered.by, crate::ledger::Answerer::Person { who, stamp } if *who == press.by && *stamp == press.stamp)
}

/// What may be done to a release at any time: it is offered on its card, and it is what commands do. A new offer for each
/// answer that was given before, so that what failed can be asked for again.
pub fn standing(service: &Service, release: &Release, ledger: &ReleaseLedger) -> Offer {
    let prefix = format!("release/{}/", release.id);
    let answers = ledger.answers.keys().filter(|key| key.starts_with(&prefix)).count();
    let (stands, _) = standing_undo(release, ledger);
    let undone = stands.is_some_and(|undo| undo.state != EffectState::Overtaken)
        || release.is_being_undone()
        || release.is_rollback()
        || service.mode == Mode::Observe;
    let failed_stage = matches!((&release.place, &release.status), (Place::Stage(_), ReleaseStatus::Failed));
    let mut choices = match release.status.phase() {
        _ if undone => Vec::new(),
        Phase::Running => vec![Choice::RollBack, Choice::Halt],
        Phase::Over if failed_stage => vec![Choice::Retry, Choice::RollBack],
        Phase::Over if release.status == ReleaseStatus::Succeeded => vec![Choice::RollBack],
        Phase::Over | Phase::Unknown => Vec::new(),
    };
    // To roll back its stage would bring back what users have, and what may be what somebody wants to be rid of.
    choices.retain(|choice| !(release.released_nothing && *choice == Choice::RollBack));
    Offer {
        key: format!("{prefix}{answers}"),
        service: service.name.clone(),
        release: release.id.clone(),
        place: release.place.clone(),
        about: About::Release,
        choices,
        asked: release.created_at,
        deadline: None,
        otherwise: None,
        ahead: None,
    }
}

/// An offer as it is written down. That happens once, and what may be done at any time changes with how the release is
/// doing: a card shows what is possible then, and what is possible when somebody presses is looked at then.
pub fn lasting(offer: Offer) -> Offer {
    let choices = match (&offer.about, &offer.place) {
        (About::Release, Place::Group(_)) => vec![Choice::RollBack, Choice::Halt],
        (About::Release, Place::Stage(_)) => vec![Choice::RollBack, Choice::Halt, Choice::Retry],
        (About::Question(_) | About::Hook { .. } | About::Pipeline(_), _) => return offer,
    };
    Offer { choices, ..offer }
}

/// Why what a person chose has to wait for somebody else's answer. Nothing is wrong with it, and it is no answer yet: a
/// question stays open, and the same button works once that other answer is given.
pub fn not_yet(evidence: &ApprovalEvidence, decision: &Decision) -> Option<Refused> {
    match (decision.reasons.first(), evidence.place.as_ref()?.back.known()) {
        (Reason::NoGoodTarget { .. }, Ok(Back::Later { why })) => Some(Refused::NotYet { why: why.clone() }),
        (_, Ok(Back::To { .. } | Back::Nowhere { .. } | Back::Later { .. }) | Err(_)) => None,
    }
}

/// Somebody else is at what a person wants, and may yet die. By the last delivery people have to know.
fn right_now(by: UndoneBy, since: Timestamp, delivery: Result<&u32, &str>) -> (Verdict, Reasons) {
    match delivery {
        Ok(number) if *number < DELIVERIES => (Verdict::LookAgain, Reason::UndoneAlready { by }.into()),
        Ok(_) | Err(_) => (Verdict::Notify(Urgency::Loud), super::claimed_and_silent(since).into()),
    }
}

/// What follows from an answer that counts.
pub fn decide(policy: &Policy, evidence: &ApprovalEvidence, approval: &Approval, now: Timestamp) -> Decision {
    let Approval { offer, press } = approval;
    let chose = Reason::PersonChose { choice: press.choice, why: press.why.clone() };
    let Some(service) = policy.service(&offer.service) else {
        let what = format!("The policy has no service {} any more", offer.service);
        let reasons = Reasons::new(Reason::NotConfigured { what }, vec![chose]);
        return Decision::plain(Some(&offer.service), None, Verdict::Notify(Urgency::Loud), reasons);
    };
    let person = Answering { service, evidence, approval, chose, now };
    match &offer.about {
        About::Hook { .. } | About::Pipeline(_) => person.lets_through(),
        About::Question(question) => match press.choice {
            Choice::Keep => person.keeps(),
            Choice::Extend => person.extends(question),
            Choice::RollBack | Choice::Halt | Choice::Approve | Choice::Reject | Choice::Retry => {
                person.acts()
            }
        },
        About::Release => person.acts(),
    }
}

struct Answering<'a> {
    service: &'a Service,
    evidence: &'a ApprovalEvidence,
    approval: &'a Approval,
    chose: Reason,
    now: Timestamp,
}

impl Answering<'_> {
    fn release(&self) -> Option<&Release> {
        match &self.evidence.place {
            Some(place) => place.latest.known().ok().and_then(Option::as_ref),
            None => self.evidence.release.known().ok(),
        }
        .filter(|release| release.id == self.approval.offer.release)
    }

    fn decision(&self, verdict: Verdict, reasons: Reasons) -> Decision {
        Decision::plain(Some(&self.service.name), self.release(), verdict, reasons)
    }

    fn calm(&self, reason: Reason) -> Decision {
        let reasons = Reasons::new(reason, vec![self.chose.clone()]);
        self.decision(Verdict::Notify(Urgency::Calm), reasons)
    }

    /// A hook, or a pipeline's manual approval.
    fn lets_through(&self) -> Decision {
        let answer = match self.approval.press.choice {
            Choice::Approve => HookAnswer::Succeeded,
            Choice::Reject
            | Choice::RollBack
            | Choice::Keep
            | Choice::Extend
            | Choice::Halt
            | Choice::Retry => HookAnswer::Failed,
        };
        self.decision(Verdict::Answer(answer), self.chose.clone().into())
    }

    fn keeps(&self) -> Decision {
        self.decision(Verdict::Notify(Urgency::Calm), self.chose.clone().into())
    }

    /// The same question again, with as much time as it had, counted from the old deadline.
    fn extends(&self, question: &Question) -> Decision {
        let within = super::alarm::signed(self.service.ask.within);
        let deadline = question.deadline.checked_add(within).unwrap_or(Timestamp::MAX);
        let later = Reason::AnswerBy { deadline, otherwise: question.otherwise };
        let reasons = Reasons::new(self.chose.clone(), vec![later]);
        Decision {
            extends: Some(Question {
                key: format!("{}+", question.key),
                asked: self.now,
                deadline,
                ..question.clone()
            }),
            ..self.decision(Verdict::Notify(Urgency::Calm), reasons)
        }
    }

    /// Something is done to the release, if it is still the one that was asked about. A person's word stands over the
    /// owners' mark, the budget and the alarm's flapping: those are why people are asked. It stands over no invariant.
    fn acts(&self) -> Decision {
        let delivery = self.evidence.delivery.known();
        let missing = |what: String, why: &str| {
            let (verdict, reasons) = could_not_learn(what, why, delivery);
            // Nobody is asked what they have just answered.
            let verdict = if verdict == Verdict::Ask { Verdict::Notify(Urgency::Loud) } else { verdict };
            self.decision(verdict, reasons.and(self.chose.clone().into()))
        };
        let offer = &self.approval.offer;
        let Some(place) = &self.evidence.place else {
            return missing(format!("what is being released in {}", offer.place), "nothing was gathered");
        };
        let latest = match place.latest.known() {
            Err(why) => return missing(format!("what is being released in {}", offer.place), why),
            Ok(latest) => latest.as_ref(),
        };
        let Some(release) = latest.filter(|latest| latest.id == offer.release) else {
            if let Some(rollback) = latest.filter(|latest| latest.rolls_back.as_ref() == Some(&offer.release))
            {
                return self.calm(Reason::UndoneAlready {
                    by: UndoneBy::Deployer { rollback: rollback.id.clone() },
                });
            }
            return self.calm(Reason::QuestionOvertaken { by: latest.map(|latest| latest.id.clone()) });
        };
        if release.is_rollback() {
            return self.calm(Reason::IsRollback { release: release.id.clone() });
        }
        let ledger = match place.ledger.known() {
            Err(why) => return missing(format!("what was already done about {}", release.id), why),
            Ok(ledger) => ledger,
        };
        let (undo, half) = standing_undo(release, ledger);
        let done = match undo.map(|undo| (undo.at, undo.state)) {
            Some((at, EffectState::Done)) => Some(UndoneBy::Belay { at }),
            // Whoever is at it may yet die, and it is done only then: the press is not used up before.
            Some((since, EffectState::Claimed { until })) if self.now < until => {
                let (verdict, reasons) = right_now(UndoneBy::BelayRightNow { since }, since, delivery);
                return self.decision(verdict, reasons.and(self.chose.clone().into()));
            }
            // Whoever claimed it died: this one takes it over.
            Some((_, EffectState::Claimed { .. } | EffectState::Overtaken)) | None => None,
        };
        let deployer = release.rolled_back_by.clone().map(|rollback| UndoneBy::Deployer { rollback });
        if let Some(by) = done.or(deployer) {
            return self.calm(Reason::UndoneAlready { by });
        }
        self.act_on(release, place, half, missing)
    }

    fn act_on(
        &self,
        release: &Release,
        place: &PlaceEvidence,
        half: crate::ledger::Half,
        missing: impl Fn(String, &str) -> Decision,
    ) -> Decision {
        let observed = self.service.mode == Mode::Observe;
        let acting = |verdict, effect: Effect| Decision {
            effect: Some(effect),
            half,
            observed,
            ..self.decision(verdict, self.chose.clone().into())
        };
        let loud = |reason: Reason| {
            let reasons = Reasons::new(reason, vec![self.chose.clone()]);
            self.decision(Verdict::Notify(Urgency::Loud), reasons)
        };
        match self.approval.press.choice {
            // The button is not there any more, and may have been seen before.
            Choice::RollBack if release.released_nothing => {
                let why = format!(
                    "{} has released nothing, and users have what was in {} before it. Reject or halt it, or roll back the one that they have.",
                    release.id, release.place
                );
                loud(Reason::NoGoodTarget { why })
            }
            Choice::RollBack => match place.back.known() {
                Err(why) => missing(format!("what {} could go back to", release.id), why),
                Ok(Back::Nowhere { why } | Back::Later { why }) => {
                    loud(Reason::NoGoodTarget { why: why.clone() })
                }
                Ok(Back::To { way, .. }) => acting(Verdict::RollBack, way.clone().into()),
            },
            Choice::Halt => match release.status.phase() {
                Phase::Running => acting(Verdict::Halt, halting(release, place)),
                Phase::Over => self.calm(Reason::NothingToHalt),
                Phase::Unknown => {
                    missing(format!("how {} is doing", release.id), &format!("it is {}", release.status))
                }
            },
            Choice::Retry => match (&release.place, &release.status) {
                (Place::Stage(_), ReleaseStatus::Failed) => {
                    self.decision(Verdict::Retry, self.chose.clone().into())
                }
                (Place::Stage(_) | Place::Group(_), _) => self.calm(Reason::NothingToRetry),
            },
            Choice::Keep | Choice::Extend | Choice::Approve | Choice::Reject => self.keeps(),
        }
    }
}

/// The services that a manual approval is about: those released by the very stage it stands in, else all of its
/// pipeline. Each is asked on its own card; CodePipeline takes the first answer.
pub fn concerned<'a>(policy: &'a Policy, change: &ManualChange) -> Vec<(&'a Service, Watch)> {
    let stage = &change.approval.stage;
    let mut concerned = policy.in_pipeline(&stage.pipeline);
    if concerned.iter().any(|(_, released)| released.stage == stage.stage) {
        concerned.retain(|(_, released)| released.stage == stage.stage);
    }
    let watch = |service: &Service, released: &crate::release::Stage| Watch {
        release: crate::release::ReleaseId::of_stage(&released.stage, &change.approval.execution),
        service: service.name.clone(),
        place: Place::Stage(released.clone()),
        began: change.at,
    };
    concerned.into_iter().map(|(service, released)| (service, watch(service, released))).collect()
}

/// A release of which nothing is known yet but that its pipeline waits before it begins.
pub fn not_begun(watch: &Watch, change: Change, revision: Option<String>) -> Release {
    Release {
        id: watch.release.clone(),
        place: watch.place.clone(),
        platform: Platform::Pipeline,
        status: ReleaseStatus::Created,
        created_at: watch.began,
        completed_at: None,
        creator: "pipeline".to_owned(),
        rolls_back: None,
        rolled_back_by: None,
        error: None,
        revision: crate::release::Revision::Named(
            revision.unwrap_or_else(|| format!("the execution {}", watch.release)),
        ),
        description: None,
        change,
        again: None,
        course: None,
        released_nothing: true,
    }
}

/// What CodePipeline keeps as the summary of an answer: who, when, what, why. At most 512 characters (service model of
/// PutApprovalResult).
pub fn summary(press: &Press) -> String {
    let Person { team, user } = &press.by;
    let said = match press.choice {
        Choice::Approve => "Approved",
        Choice::Reject | Choice::RollBack | Choice::Keep | Choice::Extend | Choice::Halt | Choice::Retry => {
            "Rejected"
        }
    };
    let why = press.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let text = format!("{said} by Slack user {user} of {team} at {:.0} through Belay{why}", press.at);
    text.chars().take(512).collect()
}
