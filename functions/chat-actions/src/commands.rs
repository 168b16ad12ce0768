//! `/belay …`: what people type. Reading is answered at once; what does something takes the way of a button.

use std::time::Duration;

use belay::{
    approval::Choice,
    chat::{
        command::{self, Command},
        draw, replies,
    },
    decision::{self, approval::Refused},
    events::SlashCommand,
    gather,
    ledger::{Note, Offer, Press, Pressed, Watch},
    message::OnCard,
    policy::Service,
    release::{ReleaseId, ServiceName},
    start::{Guard, Guards, Invocation},
};
use futures_util::future::join_all;
use jiff::Timestamp;
use tracing::{info, warn};

/// Slack waits for three seconds; what is left of them is for the way there and back, and for a cold start.
const WITHIN: Duration = Duration::from_secs(2);

/// Runs a command that was typed at `typed`, and gives back what its author is told.
pub(crate) async fn run(
    guards: &Guards,
    command: &SlashCommand,
    typed: Timestamp,
    invocation: Invocation<'_>,
) -> String {
    let parsed = match command::command(&command.text) {
        Ok(parsed) => parsed,
        Err(error) => return error.to_string(),
    };
    let asked = Asked { guards, command, typed, invocation };
    let work = async {
        match parsed {
            Command::Help => Ok(command::help()),
            Command::Status(None) => Box::pin(asked.all()).await,
            Command::Status(Some(service)) => Box::pin(asked.status(&service)).await,
            Command::Why(what) => Box::pin(asked.why(&what)).await,
            Command::History(service) => Box::pin(asked.history(&service)).await,
            Command::RollBack { service, release } => {
                Box::pin(asked.act(Choice::RollBack, &service, release.as_deref())).await
            }
            Command::Halt { service, release } => {
                Box::pin(asked.act(Choice::Halt, &service, release.as_deref())).await
            }
        }
    };
    match tokio::time::timeout(WITHIN, work).await {
        Ok(Ok(text) | Err(Said::Text(text))) => text,
        Ok(Err(Said::Failed(error))) => {
            warn!(error, "a command could not be answered");
            replies::unreadable()
        }
        Err(_) => {
            warn!("a command took too long");
            replies::too_slow()
        }
    }
}

/// Why a command has no answer of its own.
enum Said {
    /// This is the answer.
    Text(String),
    /// Something could not be read.
    Failed(String),
}

impl From<belay::aws::AwsError> for Said {
    fn from(error: belay::aws::AwsError) -> Self {
        Self::Failed(error.to_string())
    }
}

struct Asked<'a> {
    guards: &'a Guards,
    command: &'a SlashCommand,
    typed: Timestamp,
    invocation: Invocation<'a>,
}

impl Asked<'_> {
    /// The guard of Belay's own account: its ledger is that of all.
    fn own(&self) -> &Guard {
        self.guards.own()
    }

    /// The service of that name; for one that the policy does not know, the one that was meant.
    fn service(&self, name: &str) -> Result<&Service, Said> {
        let policy = self.guards.policy();
        policy.service(&ServiceName::from(name)).ok_or_else(|| {
            let known = || policy.services().map(|service| service.name.as_str());
            Said::Text(replies::no_such_service(name, command::did_you_mean(name, known()), known()))
        })
    }

    async fn all(&self) -> Result<String, Said> {
        let (open, unread) = self.own().adapters.ledger.open_things(self.invocation.now).await?;
        if let Some(error) = unread.into_iter().next() {
            return Err(error.into());
        }
        Ok(replies::all(self.guards.policy(), &open))
    }

    async fn status(&self, name: &str) -> Result<String, Said> {
        let service = self.service(name)?;
        let Some(latest) = self.latest(service).await? else {
            return Ok(replies::never_released(service));
        };
        let on = OnCard::of(&latest);
        let now = self.invocation.now;
        let guard = self.guards.of_service(&service.name);
        let facts = gather::card::gather(&guard.adapters, &guard.policy, &on, now).await?;
        Ok(replies::status(&draw::card(&facts, &guard.console).0))
    }

    async fn why(&self, what: &str) -> Result<String, Said> {
        let policy = self.guards.policy();
        let release = match policy.service(&ServiceName::from(what)) {
            Some(service) => match self.latest(service).await? {
                Some(latest) => latest.release,
                None => return Ok(replies::never_released(service)),
            },
            None => ReleaseId::from(what),
        };
        let ledger = self.own().adapters.ledger.release(&release, self.invocation.now).await?;
        if ledger.decisions.is_empty() {
            let known = policy.services().map(|service| service.name.as_str());
            return Ok(replies::knows_nothing(what, command::did_you_mean(what, known)));
        }
        Ok(replies::why(&release, &ledger))
    }

    async fn history(&self, name: &str) -> Result<String, Said> {
        let service = self.service(name)?;
        let (ledger, now) = (&self.own().adapters.ledger, self.invocation.now);
        let releases = ledger.releases_of(&service.name, replies::HISTORY, now).await?;
        let read = join_all(releases.iter().map(|watch| ledger.release(&watch.release, now))).await;
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(replies::history(service, &releases.into_iter().zip(read).collect::<Vec<_>>()))
    }

    async fn latest(&self, service: &Service) -> Result<Option<Watch>, Said> {
        let ledger = &self.own().adapters.ledger;
        let releases = ledger.releases_of(&service.name, 1, self.invocation.now).await?;
        Ok(releases.into_iter().next())
    }

    /// Something is to be done to a service's release: the same offer that its card makes, answered by this command.
    async fn act(&self, choice: Choice, name: &str, named: Option<&str>) -> Result<String, Said> {
        let service = self.service(name)?;
        let (ledger, now) = (&self.own().adapters.ledger, self.invocation.now);
        let guard = self.guards.of_service(&service.name);
        let mut offers: Vec<Offer> = Vec::new();
        let mut seen = Vec::new();
        let meant = named.map(ReleaseId::from);
        let asked_for = (choice, meant.as_ref());
        let (current, unread) = gather::approval::current(&guard.adapters, service, asked_for, now).await;
        for (release, known) in current {
            if named.is_some_and(|named| named != release.id.as_str()) {
                continue;
            }
            // A command names a service, and stands for the release that its author saw. One that is sent again within
            // the five minutes in which its signature is good must not hit a release that has begun since.
            if release.created_at > self.typed {
                continue;
            }
            seen.push(release.clone());
            let offer = decision::approval::standing(service, &release, &known);
            if offer.choices.contains(&choice) {
                offers.push(offer);
            }
        }
        let press = |offer: &Offer| Press {
            offer: draw::offer_id(offer),
            choice,
            by: self.command.by.clone(),
            why: None,
            at: now,
            stamp: self.command.stamp.clone(),
            channel: self.command.channel.clone(),
        };
        if !service.approvers.iter().any(|approver| approver.user == self.command.by.user) {
            info!(choice = choice.word(), "an answer does not count");
            if let Some(offer) = offers.first() {
                let refused = Some(Refused::NotAnApprover.to_string());
                let pressed = Pressed { press: press(offer), refused };
                ledger.keep(&Note::Handled(offer.release.clone(), pressed), now).await?;
            }
            return Ok(Refused::NotAnApprover.to_string());
        }
        for (place, why) in &unread {
            warn!(%place, why, "what is released there could not be read");
        }
        // Of a release that is named it does not matter what is elsewhere.
        if !unread.is_empty() && (named.is_none() || offers.is_empty()) {
            return Ok(replies::not_read(choice, service, &offers, &unread));
        }
        match &offers[..] {
            [] => Ok(replies::nothing_to(choice, service, named, &seen)),
            [offer] => {
                let press = press(offer);
                let lasting = decision::approval::lasting(offer.clone());
                ledger.offer(&press.offer, &lasting, now).await?;
                match crate::take(self.own(), &press, self.invocation).await {
                    Ok(()) => Ok(replies::taken(choice, &offer.release)),
                    Err(_) => Ok(replies::unreadable()),
                }
            }
            several => Ok(replies::which(choice, service, several)),
        }
    }
}
