//! An alarm changed its state: the rows of "An alarm went to ALARM", first match wins.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    decision::{Asking, DELIVERIES, Decision, Effect, Urgency, Verdict, could_not_learn},
    evidence::{AlarmEvidence, AlarmPast, Back, PlaceEvidence, ServiceEvidence, Way},
    ledger::{EffectState, Half, Incident, Judged, ReleaseLedger},
    policy::{Missing, Mode, Otherwise, Policy, Rule, Service, Watcher},
    reason::{Reason, Reasons, Silent, UndoneBy},
    release::{AlarmName, Phase, Place, Release, ReleaseId, ReleaseStatus},
    signal::{AlarmChange, AlarmState, Quieted},
};

/// An alarm that went to ALARM so often in the hour before a release proves little about it.
pub const FLAPPING: u32 = 3;

/// Decides what an alarm's change means: one decision for each release that it concerns, and at least one.
///
/// `evidence` holds an entry for each service that [`needs_evidence`] named; `now` is when we decide, and
/// counts only for leases. Every duration in the reasons is measured by the alarm's and the deployer's own
/// times, so that an event that comes late is judged as if it had come in time.
pub fn decide(
    policy: &Policy,
    evidence: &AlarmEvidence,
    change: &AlarmChange,
    now: Timestamp,
) -> Vec<Decision> {
    if let Some(decision) = from_the_event_alone(policy, change) {
        return vec![decision];
    }
    let mut decisions = Vec::new();
    for watcher in policy.watchers(&change.alarm) {
        let service = watcher.service;
        let before = evidence.judged.known().unwrap_or(&NOTHING_JUDGED);
        if let Some(before) = before.iter().find(|before| before.service.as_ref() == Some(&service.name)) {
            decisions.push(already_judged(before, change));
            continue;
        }
        if change.to == AlarmState::Ok {
            decisions.push(restored(&watcher, evidence, change));
            continue;
        }
        if !is_red(&watcher, change.to) {
            let reason = Reason::NotInAlarm { alarm: change.alarm.clone(), state: change.to };
            decisions.push(Decision::plain(Some(&service.name), None, Verdict::Ignore, reason.into()));
            continue;
        }
        match watcher.alarm.rule {
            // Row 3.
            Rule::Notify => {
                let reason =
                    Reason::RuleSaysNotify { alarm: change.alarm.clone(), said: change.reason.clone() };
                let calm = Verdict::Notify(Urgency::Calm);
                decisions.push(Decision::plain(Some(&service.name), None, calm, reason.into()));
            }
            rule @ (Rule::RollBack | Rule::Halt | Rule::Ask) => {
                let known = evidence.services.iter().find(|known| known.service == service.name);
                let case = Case { service, rule, evidence, change, now, consent: false };
                decisions.extend(case.judge(known));
            }
        }
    }
    decisions
}

/// Whether a state says that something is wrong, by the watcher's own reading of INSUFFICIENT_DATA.
fn is_red(watcher: &Watcher<'_>, state: AlarmState) -> bool {
    match state {
        AlarmState::Alarm => true,
        AlarmState::InsufficientData => watcher.alarm.missing == Missing::Alarm,
        AlarmState::Ok => false,
    }
}

/// The alarm is OK. That ends its incident and never un-does anything; if it went off again before this was heard of, it
/// is the same incident still, and nobody is told that it is over.
fn restored(watcher: &Watcher<'_>, evidence: &AlarmEvidence, change: &AlarmChange) -> Decision {
    let (service, alarm) = (watcher.service, change.alarm.clone());
    match incident(service, evidence, change) {
        Ok(Some(incident)) => {
            if let Some(since) = red_since(watcher, evidence, change) {
                let reason = Reason::RedAgain { alarm, ok: change.at, since };
                return Decision::plain(Some(&service.name), None, Verdict::Ignore, reason.into());
            }
            let took = change.at.duration_since(incident.began);
            let reason = Reason::Restored { alarm, took };
            // Worth telling where it was told that a release was concerned; else only worth keeping.
            let verdict = match incident.release {
                Some(_) => Verdict::Notify(Urgency::Calm),
                None => Verdict::Ignore,
            };
            Decision::plain(Some(&service.name), None, verdict, reason.into())
        }
        Ok(None) => {
            let reason = Reason::NotInAlarm { alarm, state: change.to };
            Decision::plain(Some(&service.name), None, Verdict::Ignore, reason.into())
        }
        // Nothing waits for it but the measured time to restore.
        Err(why) => {
            let what = format!("whether an incident of {alarm} was open");
            let (verdict, reasons) = could_not_learn(what, why, evidence.delivery.known());
            let verdict = if verdict == Verdict::Ask { Verdict::Notify(Urgency::Calm) } else { verdict };
            Decision::plain(Some(&service.name), None, verdict, reasons)
        }
    }
}

/// When the alarm went off again after a change to OK, if it is known that it did and is so still.
fn red_since(watcher: &Watcher<'_>, evidence: &AlarmEvidence, change: &AlarmChange) -> Option<Timestamp> {
    let stands = evidence.stands.known().ok()?;
    let red = is_red(watcher, *stands.state.known().ok()?);
    stands.since.filter(|since| red && *since > change.at)
}

/// The incident of a service that a change to OK ends.
///
/// # Errors
/// Why it is not known.
pub(crate) fn incident<'a>(
    service: &Service,
    evidence: &'a AlarmEvidence,
    change: &AlarmChange,
) -> Result<Option<&'a Incident>, &'a str> {
    let open = evidence.incidents.known()?;
    Ok(open
        .iter()
        .find(|open| open.alarm == change.alarm && open.service == service.name && open.began <= change.at))
}

/// The ledger could not say whether this signal was judged before. Rules that act need the ledger anyway and
/// stop there; a message is better told twice than never.
static NOTHING_JUDGED: Vec<Judged> = Vec::new();

fn already_judged(before: &Judged, change: &AlarmChange) -> Decision {
    let reason = Reason::AlreadyJudged {
        alarm: change.alarm.clone(),
        verdict: before.verdict.word().to_owned(),
        release: before.release.clone(),
        at: before.at,
    };
    Decision::plain(before.service.as_ref(), None, Verdict::Ignore, reason.into())
}

/// The services whose decision needs more than the event: those that would act on this change.
pub fn needs_evidence<'a>(policy: &'a Policy, change: &AlarmChange) -> Vec<&'a Service> {
    if change.to == AlarmState::Ok || from_the_event_alone(policy, change).is_some() {
        return Vec::new();
    }
    policy
        .watchers(&change.alarm)
        .into_iter()
        .filter(|watcher| watcher.alarm.rule != Rule::Notify && is_red(watcher, change.to))
        .map(|watcher| watcher.service)
        .collect()
}

/// Whether the decision needs to know the alarm's open incidents.
pub fn needs_incidents(policy: &Policy, change: &AlarmChange) -> bool {
    change.to == AlarmState::Ok && !policy.watchers(&change.alarm).is_empty()
}

/// Rows 1 and 2, and losing data that nobody asked to be told of.
fn from_the_event_alone(policy: &Policy, change: &AlarmChange) -> Option<Decision> {
    let alarm = change.alarm.clone();
    let watchers = policy.watchers(&alarm);
    let reason = if watchers.is_empty() {
        Reason::NotWatched { alarm }
    } else if change.to == AlarmState::Ok {
        return None;
    } else if !watchers.iter().any(|watcher| is_red(watcher, change.to)) {
        Reason::NotInAlarm { alarm, state: change.to }
    } else {
        match &change.quieted {
            Some(Quieted::Muted { by, until }) => {
                Reason::Muted { alarm, by: by.clone(), until: until.clone() }
            }
            Some(Quieted::Suppressed { by, .. }) => Reason::Suppressed { alarm, by: by.clone() },
            Some(Quieted::Unread { .. }) | None => return None,
        }
    };
    Some(Decision::plain(None, None, Verdict::Ignore, reason.into()))
}

/// One service, one alarm that says that something is wrong.
pub(super) struct Case<'a> {
    pub(super) service: &'a Service,
    pub(super) rule: Rule,
    pub(super) evidence: &'a AlarmEvidence,
    pub(super) change: &'a AlarmChange,
    pub(super) now: Timestamp,
    /// Silence has answered a question about it with `roll_back`: what would ask for consent has it.
    pub(super) consent: bool,
}

/// What a row decides about a release.
struct Ruling {
    verdict: Verdict,
    reasons: Reasons,
    effect: Option<Effect>,
    half: Half,
    silent: Option<Silent>,
    unread: Vec<Place>,
    blames: Option<ReleaseId>,
}

impl Ruling {
    /// Both in one: of two that lack evidence.
    fn and(mut self, other: Self) -> Self {
        self.unread.extend(other.unread);
        Self { reasons: self.reasons.and(other.reasons), ..self }
    }

    /// Whether it is that of row 14.
    fn lacks_evidence(&self) -> bool {
        matches!(self.reasons.first(), Reason::CouldNotLearn { .. })
    }
}

impl From<(Verdict, Reasons)> for Ruling {
    fn from((verdict, reasons): (Verdict, Reasons)) -> Self {
        Self {
            verdict,
            reasons,
            effect: None,
            half: Half::Whole,
            silent: None,
            unread: Vec::new(),
            blames: None,
        }
    }
}

impl Case<'_> {
    /// Where the releases of the service stand. A service that is released in several places is judged in each of
    /// them that has something on watch; only when none has, there is nothing to blame.
    pub(super) fn judge(&self, known: Option<&ServiceEvidence>) -> Vec<Decision> {
        let Some(known) = known else {
            let what = format!("what is being released for {}", self.service.name);
            return vec![self.decision(None, self.missing(what, "nothing was gathered"))];
        };
        let mut rulings: Vec<(&Release, Ruling)> = Vec::new();
        let mut unknown: Option<Ruling> = None;
        let mut last_ended: Option<(&Release, SignedDuration)> = None;
        for place in &known.places {
            match on_watch(self.service, place, self.change) {
                OnWatch::Unknown { what, why } => {
                    let mut ruling = self.missing(what, &why);
                    ruling.unread.push(place.place.clone());
                    // One question for a service, however many of its places cannot be read.
                    unknown = Some(match unknown {
                        None => ruling,
                        Some(before) => before.and(ruling),
                    });
                }
                OnWatch::Nothing { last } => {
                    if let Some((release, ago)) = last
                        && last_ended.is_none_or(|(_, other)| ago < other)
                    {
                        last_ended = Some((release, ago));
                    }
                }
                OnWatch::OnIt(release, ledger) => {
                    let ruling = self.judge_release(release, ledger, place, known);
                    rulings.push((release, ruling));
                }
            }
        }
        // Nor is there a second one beside that about a release of which not enough could be read: this one can be answered.
        if let Some((_, asks)) = rulings.iter_mut().find(|(_, ruling)| ruling.lacks_evidence())
            && let Some(unknown) = unknown.take()
        {
            asks.reasons = asks.reasons.clone().and(unknown.reasons);
            asks.unread = unknown.unread;
        }
        let mut decisions: Vec<Decision> =
            rulings.into_iter().map(|(release, ruling)| self.decision(Some(release), ruling)).collect();
        decisions.extend(unknown.map(|unknown| self.decision(None, unknown)));
        if decisions.is_empty() {
            // Row 4.
            let reason = Reason::NoReleaseToBlame {
                alarm: self.change.alarm.clone(),
                last: last_ended.map(|(release, ago)| (release.id.clone(), ago)),
                watch_for: signed(self.service.watch_for),
            };
            decisions.push(self.decision(None, calm(reason)));
        }
        decisions
    }

    /// A ruling as a decision about the service.
    fn decision(&self, release: Option<&Release>, ruling: Ruling) -> Decision {
        let Ruling { verdict, mut reasons, effect, half, silent, unread, blames } = ruling;
        if self.change.to == AlarmState::InsufficientData && verdict != Verdict::Ignore {
            reasons = reasons.and(Reason::MissingCountsAsAlarm { alarm: self.change.alarm.clone() }.into());
        }
        let question = (verdict == Verdict::Ask).then(|| {
            let deadline = self.now.checked_add(signed(self.service.ask.within)).unwrap_or(Timestamp::MAX);
            let otherwise = match self.service.ask.otherwise {
                Otherwise::Keep => Silent::Keeps,
                Otherwise::RollBack => silent.unwrap_or(Silent::LooksAgain),
            };
            Asking { deadline, otherwise }
        });
        if let Some(Asking { deadline, otherwise }) = question {
            reasons = reasons.and(Reason::AnswerBy { deadline, otherwise }.into());
        }
        let observed = self.service.mode == Mode::Observe;
        if observed && effect.is_some() {
            reasons = self.scoreboard().into_iter().fold(reasons, |reasons, score| reasons.and(score.into()));
        }
        Decision {
            effect,
            half,
            question,
            unread,
            blames,
            observed,
            ..Decision::plain(Some(&self.service.name), release, verdict, reasons)
        }
    }

    /// What became of the releases that would have been undone before; nothing if that cannot be read, since nothing
    /// turns on it.
    fn scoreboard(&self) -> Option<Reason> {
        let known = self.evidence.services.iter().find(|known| known.service == self.service.name)?;
        let would = known.would_have.known().ok()?;
        let ended = |well: bool| {
            let matches = |status: &ReleaseStatus| (*status == ReleaseStatus::Succeeded) == well;
            would.iter().filter(|would| would.ended.as_ref().is_some_and(matches)).count()
        };
        let (succeeded, ended_badly) = (ended(true), ended(false));
        Some(Reason::Scoreboard { would_have: would.len(), succeeded, ended_badly })
    }

    fn missing(&self, what: String, why: &str) -> Ruling {
        could_not_learn(what, why, self.evidence.delivery.known()).into()
    }
}

/// Whether a place has a release on watch.
enum OnWatch<'a> {
    /// It has: it runs, or it ended recently enough. With what the ledger holds of it, or why that is unknown.
    OnIt(&'a Release, Result<&'a ReleaseLedger, &'a str>),
    /// It has none; the last one that ended, and how long before the alarm.
    Nothing { last: Option<(&'a Release, SignedDuration)> },
    /// It could not be learnt.
    Unknown { what: String, why: String },
}

fn on_watch<'a>(service: &Service, place: &'a PlaceEvidence, change: &AlarmChange) -> OnWatch<'a> {
    let latest = match place.latest.known() {
        Err(why) => {
            let what = format!("what is being released in {}", place.place);
            return OnWatch::Unknown { what, why: why.to_owned() };
        }
        Ok(None) => return OnWatch::Nothing { last: None },
        Ok(Some(latest)) => latest,
    };
    // An alarm that went off before a rollback began is about the release that is being rolled back. In the same
    // second it is what started the rollback: CodeDeploy needs no longer for its own.
    if latest.is_rollback() && change.at <= latest.created_at {
        match place.taken_back.known() {
            Err(why) => {
                let what = format!("which release {} takes back", latest.id);
                return OnWatch::Unknown { what, why: why.to_owned() };
            }
            Ok(Some(taken_back)) if taken_back.deployment.created_at <= change.at => {
                return OnWatch::OnIt(&taken_back.deployment, Ok(&taken_back.ledger));
            }
            Ok(Some(_) | None) => {}
        }
    }
    match latest.status.phase() {
        Phase::Running => OnWatch::OnIt(latest, place.ledger.known()),
        Phase::Unknown => OnWatch::Unknown {
            what: format!("how {} is doing", latest.id),
            why: format!("CodeDeploy says it is {}", latest.status),
        },
        Phase::Over => match latest.completed_at {
            None => OnWatch::Unknown {
                what: format!("when {} ended", latest.id),
                why: "CodeDeploy does not say".to_owned(),
            },
            Some(ended) => {
                let ago = change.at.duration_since(ended);
                if ago <= signed(service.watch_for) {
                    OnWatch::OnIt(latest, place.ledger.known())
                } else {
                    OnWatch::Nothing { last: Some((latest, ago)) }
                }
            }
        },
    }
}

impl Case<'_> {
    /// Rows 5 to 16, for one release that is on watch.
    fn judge_release(
        &self,
        release: &Release,
        ledger: Result<&ReleaseLedger, &str>,
        place: &PlaceEvidence,
        service: &ServiceEvidence,
    ) -> Ruling {
        let change = self.change;
        let alarm = change.alarm.clone();
        let over = release.status.phase() == Phase::Over;

        // Row 5. A rollback that does not say of which release it is one is loud all the same: the alarm is about
        // what it takes back.
        if change.at < release.created_at && release.is_rollback() {
            let (of, since_start) = (release.rolls_back.clone(), SignedDuration::ZERO);
            return loud(Reason::RollbackIsFailing { alarm, of, since_start, over });
        }
        if change.at < release.created_at {
            return self.before(release, place);
        }
        let since_start = change.at.duration_since(release.created_at);

        // Row 6.
        if release.is_rollback() {
            let of = release.rolls_back.clone();
            return loud(Reason::RollbackIsFailing { alarm, of, since_start, over });
        }

        // Row 7. What the ledger holds counts before what the deployer says: a stop that is under way is not
        // visible at the deployer yet.
        let ledger = match ledger {
            Ok(ledger) => ledger,
            Err(why) => return self.missing(format!("what was already done about {}", release.id), why),
        };
        if let Err(why) = self.evidence.judged.known() {
            return self.missing(format!("whether this change of {alarm} was judged before"), why);
        }
        if let Some(ruling) = self.under_way(release, ledger) {
            return ruling;
        }

        // Row 8.
        match place.past.known() {
            Ok(AlarmPast::News) => {}
            Ok(AlarmPast::RedSinceBefore) => return calm(Reason::AlreadyRedBefore { alarm }),
            Err(why) => return self.missing(format!("what {alarm} was when the release began"), why),
        }
        self.judge_new(release, standing_undo(release, ledger).1, place, service, since_start)
    }

    /// Row 5: the alarm went off before the release began. Not its doing; perhaps that of the one before it, which was
    /// on watch then and has been replaced since. An event that comes late must not let it pass for good.
    fn before(&self, release: &Release, place: &PlaceEvidence) -> Ruling {
        let alarm = self.change.alarm.clone();
        let before = release.created_at.duration_since(self.change.at);
        let was_on_watch = |earlier: &&Release| {
            let ended = earlier.completed_at.map(|ended| self.change.at.duration_since(ended));
            earlier.created_at <= self.change.at
                && !earlier.is_rollback()
                && !earlier.is_being_undone()
                && ended.is_none_or(|ago| ago <= signed(self.service.watch_for))
        };
        match place.earlier.known().map(|earlier| earlier.as_ref().filter(was_on_watch)) {
            Ok(None) => calm(Reason::BeganBeforeRelease { alarm, before }),
            Ok(Some(earlier)) => {
                let id = earlier.id.clone();
                let reason = Reason::EarlierReleaseToBlame { alarm, earlier: id.clone(), before };
                Ruling { blames: Some(id), ..loud(reason) }
            }
            Err(why) => {
                let what = format!("which release ran before {}", release.id);
                let unknown = Reason::CouldNotLearn { what, why: why.to_owned() };
                loud_with(Reasons::new(Reason::BeganBeforeRelease { alarm, before }, vec![unknown]))
            }
        }
    }

    /// Row 7: whether the release is being undone, or has been, by anybody.
    fn under_way(&self, release: &Release, ledger: &ReleaseLedger) -> Option<Ruling> {
        let alarm = self.change.alarm.clone();
        let (undo, half) = standing_undo(release, ledger);
        if let Some(undo) = undo {
            match undo.state {
                // Which of two alarms is heard of first must not decide that nobody hears of the other one.
                EffectState::Done if self.rule == Rule::RollBack && was_halted_by_rule(undo) => {
                    return Some(loud(Reason::OnlyHalted { alarm, at: undo.at }));
                }
                EffectState::Done => {
                    return Some(match release.again_since(undo.at) {
                        Some(again) => loud(Reason::RunAgainSinceUndone { alarm, undone: undo.at, again }),
                        None => already_undone(alarm, UndoneBy::Belay { at: undo.at }),
                    });
                }
                EffectState::Claimed { until } if self.now < until => {
                    return Some(right_now(alarm, undo.at, self.evidence.delivery.known()));
                }
                // Whoever claimed it died on the way: what was decided is decided again from what is known now, and
                // taking the claim over begins with a look at whether it happened.
                EffectState::Claimed { .. } => {
                    if let Some(ruling) = finish(release, undo, half) {
                        return Some(ruling);
                    }
                }
                EffectState::Overtaken => {}
            }
        }
        // What was said while Belay only looked on holds nobody back since it acts.
        if let Some(would) = ledger.would.as_ref().filter(|_| self.service.mode == Mode::Observe) {
            return Some((Verdict::Ignore, Reason::AlreadyWouldHave { alarm, at: would.at }.into()).into());
        }
        if let (Some(_), Place::Stage(_), Some(ended)) =
            (&release.rolled_back_by, &release.place, release.completed_at)
            && self.change.at > ended
        {
            // As it would be of the rollback itself, where its group is named.
            let (of, since_start) = (Some(release.id.clone()), self.change.at.duration_since(ended));
            return Some(loud(Reason::RollbackIsFailing { alarm, of, since_start, over: false }));
        }
        if let Some(rollback) = &release.rolled_back_by {
            return Some(already_undone(alarm, UndoneBy::Deployer { rollback: rollback.clone() }));
        }
        match (&release.status, &release.place) {
            // A stage that failed left its changes behind; a stopped or failed deployment is no release to users,
            // but nobody is taking it back either.
            (ReleaseStatus::Stopped | ReleaseStatus::Failed, Place::Group(_)) => {
                Some(loud(Reason::EndedNotRolledBack { alarm, status: release.status.clone() }))
            }
            _ => None,
        }
    }

    /// Rows 9 to 16: the alarm is news about this release.
    fn judge_new(
        &self,
        release: &Release,
        half: Half,
        place: &PlaceEvidence,
        service: &ServiceEvidence,
        since_start: SignedDuration,
    ) -> Ruling {
        let alarm = self.change.alarm.clone();
        let over = release.status.phase() == Phase::Over;
        let said = self.change.reason.clone();
        let happened = if over {
            let ended = release.completed_at.unwrap_or(self.change.at);
            let since_end = self.change.at.duration_since(ended);
            if since_end.is_negative() {
                // It went off on the way, and the release has finished since.
                Reason::AlarmDuringRelease { alarm: alarm.clone(), since_start, traffic: None, said }
            } else {
                Reason::AlarmAfterRelease { alarm: alarm.clone(), since_end, said }
            }
        } else {
            let traffic = place.traffic.known().ok().copied();
            Reason::AlarmDuringRelease { alarm: alarm.clone(), since_start, traffic, said }
        };
        let because = |reason: Reason| Reasons::new(reason, vec![happened.clone()]);
        let ask = |reason: Reason, silent: Silent| Ruling {
            silent: Some(silent),
            ..Ruling::from((Verdict::Ask, because(reason)))
        };
        let halting = |reason: Reason| Ruling {
            effect: Some(halting(release, place)),
            half,
            ..Ruling::from((Verdict::Halt, because(reason)))
        };

        // Row 2, of an alarm whose event did not come.
        if let Some(Quieted::Unread { why }) = &self.change.quieted {
            return self.missing(format!("whether {alarm} is muted"), why);
        }
        // Row 9.
        match place.flaps.known() {
            Ok(times) if *times >= FLAPPING && !self.consent => {
                return ask(Reason::AlarmWasFlapping { alarm, times: *times }, Silent::RollsBack);
            }
            Ok(_) => {}
            Err(why) => return self.missing(format!("how often {alarm} went off before the release"), why),
        }
        // Row 10. Silence never overrules the owners' own mark.
        match place.marked.known() {
            Ok(None) => {}
            Ok(Some(why)) => {
                let reason = Reason::MarkedNoRollback { why: why.clone() };
                return if over { ask(reason, Silent::Keeps) } else { halting(reason) };
            }
            Err(why) => {
                return self.missing(format!("whether {} may be rolled back", release.id), why);
            }
        }
        // Row 11.
        if self.rule == Rule::Halt {
            let reason = Reason::RuleSaysHalt { alarm };
            return if over { loud_with(because(reason)) } else { halting(reason) };
        }
        // Row 12.
        let way = match place.back.known() {
            Err(why) => return self.missing(format!("what {} could go back to", release.id), why),
            Ok(Back::Nowhere { why } | Back::Later { why }) => {
                let reason = Reason::NoGoodTarget { why: why.clone() };
                return if over { ask(reason, Silent::Keeps) } else { halting(reason) };
            }
            Ok(Back::To { way, .. }) => way,
        };
        // Row 13.
        match service.taken_back.known() {
            Ok(taken_back) if self.consent || !self.spent(taken_back, release) => {}
            Ok(taken_back) => {
                let per = signed(self.service.rollback_budget.per);
                return ask(Reason::BudgetSpent { count: taken_back.len(), per }, Silent::RollsBack);
            }
            Err(why) => {
                let what = format!("how many releases of {} were taken back lately", self.service.name);
                return self.missing(what, why);
            }
        }
        // Row 15.
        if self.rule == Rule::Ask && !self.consent {
            return ask(Reason::RuleSaysAsk { alarm }, Silent::RollsBack);
        }
        // Row 16.
        Ruling {
            effect: Some(way.clone().into()),
            half,
            ..Ruling::from((Verdict::RollBack, happened.into()))
        }
    }

    /// Whether the budget is used up by other releases than this one.
    fn spent(&self, taken_back: &[crate::evidence::Undone], release: &Release) -> bool {
        // An undo of two halves is one.
        let others = taken_back.iter().map(|undone| &undone.release).filter(|other| **other != release.id);
        others.collect::<BTreeSet<_>>().len()
            >= usize::try_from(self.service.rollback_budget.count).unwrap_or(usize::MAX)
    }
}

/// The undo that stands, and which part of it comes next. A release that was asked to stop and finished well all the
/// same is live: that stop counts for nothing, and deploying again what ran before is the second half.
pub(super) fn standing_undo<'a>(
    release: &Release,
    ledger: &'a ReleaseLedger,
) -> (Option<&'a crate::ledger::Effect>, Half) {
    match &ledger.undo {
        Some(undo) if undo.state == EffectState::Done && undo.stops_only() && unharmed(release) => {
            (ledger.redeploy.as_ref(), Half::Second)
        }
        undo => (undo.as_ref(), Half::Whole),
    }
}

/// An undo that somebody claimed and did not finish: the same effect, unless the release moved on under it.
fn finish(release: &Release, undo: &crate::ledger::Effect, half: Half) -> Option<Ruling> {
    let effect = undo.effect.clone()?;
    // A deployment that has ended since cannot be stopped; how it ended is looked at by whoever takes over.
    if release.status == ReleaseStatus::Succeeded && matches!(effect, Effect::Stop { .. }) {
        return None;
    }
    Some(Ruling { effect: Some(effect), half, ..Ruling::from((undo.verdict, undo.reasons.clone())) })
}

/// Whether a release was halted because an alarm's rule asks for no more. Where it has no way back, or its owners want it
/// kept, no other alarm's rule would have taken it back either.
fn was_halted_by_rule(undo: &crate::ledger::Effect) -> bool {
    undo.verdict == Verdict::Halt && matches!(undo.reasons.first(), Reason::RuleSaysHalt { .. })
}

/// What halts a release that runs.
pub(super) fn halting(release: &Release, place: &PlaceEvidence) -> Effect {
    match &release.place {
        Place::Group(_) => Effect::Stop { auto_rollback: false },
        Place::Stage(_) => {
            Effect::HaltStage { deployments: running_within(place), next: place.next_stage.clone() }
        }
    }
}

/// The CodeDeploy deployments that run in a stage.
fn running_within(place: &PlaceEvidence) -> Vec<ReleaseId> {
    match place.back.known() {
        Ok(Back::To { way: Way::RollBackStage { deployments, .. }, .. }) => deployments.clone(),
        // Whether they still run is not known: one that has ended says so when it is stopped.
        Ok(Back::To { .. } | Back::Nowhere { .. } | Back::Later { .. }) | Err(_) => place.within.clone(),
    }
}

/// Whether a release ended well and nobody is rolling it back.
fn unharmed(release: &Release) -> bool {
    release.status == ReleaseStatus::Succeeded && release.rolled_back_by.is_none()
}

fn already_undone(alarm: AlarmName, by: UndoneBy) -> Ruling {
    (Verdict::Ignore, Reason::AlreadyUndone { alarm, by }.into()).into()
}

/// Somebody else is at it and may yet die: the signal is not done with before that one is. Should that not be so
/// by the last delivery, a person has to know.
fn right_now(alarm: AlarmName, since: Timestamp, delivery: Result<&u32, &str>) -> Ruling {
    match delivery {
        Ok(number) if *number < DELIVERIES => {
            let by = UndoneBy::BelayRightNow { since };
            (Verdict::LookAgain, Reason::AlreadyUndone { alarm, by }.into()).into()
        }
        Ok(_) | Err(_) => (Verdict::Ask, super::claimed_and_silent(since).into()).into(),
    }
}

fn calm(reason: Reason) -> Ruling {
    (Verdict::Notify(Urgency::Calm), reason.into()).into()
}

fn loud(reason: Reason) -> Ruling {
    loud_with(reason.into())
}

fn loud_with(reasons: Reasons) -> Ruling {
    (Verdict::Notify(Urgency::Loud), reasons).into()
}

pub(super) fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
