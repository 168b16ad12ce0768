//! One Belay, many accounts: a guard for each, and which one something is for.
//!
//! Below this nothing knows of accounts: a guard has the policy of one account's services and clients that work there.
//! What cannot be said to be of one account is refused, never taken for Belay's own.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Failure, Guard, Invocation, Log, Patience, StartError, read_policy};
use crate::{
    aws::{self, Adapters, AwsError, Connection, Http, sts},
    chat::console::Console,
    ledger::{Open, Owed, Press},
    policy::Policy,
    release::ServiceName,
    settings::Settings,
};

/// A function, ready to work in Belay's own account and in each whose role the policy names.
#[derive(Clone, Debug)]
pub struct Guards {
    policy: Policy,
    region: String,
    own: Guard,
    /// By account.
    members: BTreeMap<String, Guard>,
    http: Http,
}

impl Guards {
    /// Reads the settings through `lookup`, then the policy, and makes the clients. Calls nothing outside.
    ///
    /// # Errors
    /// Every mistake in the settings, or every mistake in the policy, or what the policy needs and the settings lack.
    pub fn start(
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let settings = Settings::parse(&lookup)?;
        let policy = read_policy(&settings)?;
        let http = Http::default();
        let connection = aws::connect(&settings.region, http.client(), lookup);
        let guards = Self::of(policy, &connection, &settings, Patience::default())?;
        Ok(Self { http, ..guards })
    }

    /// Makes the clients that stand between an alarm and its undo, and begins their connections. Only inside tokio's
    /// runtime.
    pub fn ready(&self) {
        self.own.adapters.ready(&self.http);
    }

    /// What all AWS clients call by.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// The guards of a policy, with clients made from one configuration. Calls nothing outside.
    ///
    /// # Errors
    /// What the policy needs and the settings lack.
    pub fn of(
        policy: Policy,
        connection: &Connection,
        settings: &Settings,
        patience: Patience,
    ) -> Result<Self, StartError> {
        let named = |wanted: fn(&crate::policy::Service) -> bool| {
            let services: Vec<&str> =
                policy.services().filter(|one| wanted(one)).map(|one| one.name.as_str()).collect();
            services.join(", ")
        };
        if settings.chat.is_none() && policy.services().any(|one| one.chat.slack.is_some()) {
            return Err(StartError::NoChat { services: named(|one| one.chat.slack.is_some()) });
        }
        let own = Guard {
            account: None,
            policy: policy.of_account(None),
            adapters: Adapters::new(connection, settings),
            console: Console::of(&settings.region),
            patience,
            log: Log::default(),
        };
        let mut members = BTreeMap::new();
        for role in policy.roles() {
            let Some(external_id) = &settings.external_id else {
                return Err(StartError::NoExternalId { services: named(|one| one.account().is_some()) });
            };
            let there = sts::assumed(connection, role.arn(), external_id);
            let account = role.account().to_owned();
            let guard = Guard {
                account: Some(account.clone()),
                policy: policy.of_account(Some(&account)),
                adapters: own.adapters.in_account(&there),
                console: own.console.in_account(&account),
                patience,
                log: own.log.clone(),
            };
            members.insert(account, guard);
        }
        Ok(Self { policy, region: settings.region.clone(), own, members, http: Http::default() })
    }

    /// The whole policy, of all accounts. For names only: a place or an alarm means something in one account.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The guard of Belay's own account. The ledger, the topic and the chat products are the same in all.
    pub fn own(&self) -> &Guard {
        &self.own
    }

    /// All guards, Belay's own first.
    pub fn all(&self) -> impl Iterator<Item = &Guard> {
        std::iter::once(&self.own).chain(self.members.values())
    }

    /// The same with each guard changed.
    #[must_use]
    pub fn map(mut self, change: impl Fn(&mut Guard)) -> Self {
        change(&mut self.own);
        self.members.values_mut().for_each(change);
        self
    }

    /// The same, with metrics going there: `write` gets each line as it is to be in the function's log. Without this they
    /// go nowhere.
    #[must_use]
    pub fn logging(self, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let log = Log::to(write);
        self.map(|guard| guard.log = log.clone())
    }

    /// The guard of a service. One that is in no policy any more is Belay's own account's, whose guard says so.
    pub fn of_service(&self, service: &ServiceName) -> &Guard {
        let account = self.policy.service(service).and_then(|service| service.account());
        account.and_then(|account| self.members.get(account)).unwrap_or(&self.own)
    }

    /// The guard for an event about an account and a region.
    ///
    /// # Errors
    /// `NotForUs` when the event is about another region, about an account that is neither Belay's own nor any
    /// service's, or does not say about which: a place or an alarm of the same name would be another one there.
    pub fn of_event(
        &self,
        (account, region): (Option<&str>, Option<&str>),
        invocation: Invocation<'_>,
    ) -> Result<&Guard, Failure> {
        if let Some(region) = region.filter(|region| *region != self.region) {
            return Err(not_for_us(format!(
                "The event is about the region {region}, and this Belay guards {}: a place or an alarm of the same name is another one there. Deploy Belay in {region} as well, or remove the forwarding.",
                self.region
            )));
        }
        let Some(account) = account else {
            if self.members.is_empty() {
                return Ok(&self.own);
            }
            return Err(not_for_us(
                "The event does not say which account it is about, and this Belay guards several. Send it by EventBridge."
                    .to_owned(),
            ));
        };
        let own = invocation.account();
        match (own == Some(account), self.members.get(account)) {
            (false, Some(member)) => Ok(member),
            (true, None) => Ok(&self.own),
            (true, Some(_)) => Err(not_for_us(format!(
                "The policy names a role of account {account} as `account_role`, and that is the account in which Belay runs itself. Remove that `account_role`."
            ))),
            (false, None) => {
                let own = own.map_or("one that its ARN does not name".to_owned(), str::to_owned);
                Err(not_for_us(format!(
                    "The event is about account {account}, which is neither Belay's own ({own}) nor that of any service. Name a role of it as `account_role` of its services, or remove the forwarding."
                )))
            }
        }
    }

    /// The guard for a press: that of the service whose release it is about. A press that stands for nothing any more is
    /// Belay's own account's, whose guard says so.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn of_press(&self, press: &Press, now: Timestamp) -> Result<&Guard, AwsError> {
        if self.members.is_empty() {
            return Ok(&self.own);
        }
        let offer = self.own.adapters.ledger.offered(&press.offer, now).await?;
        Ok(offer.map_or(&self.own, |offer| self.of_service(&offer.service)))
    }

    /// The guard for a message that is owed: that of the service that it is about, since a card that goes with it is
    /// drawn, and a graph fetched, where that is.
    async fn of_owed(&self, owed: &Owed, now: Timestamp) -> Result<&Guard, AwsError> {
        let ledger = self.own.adapters.ledger.owed(owed, now).await?;
        let message = ledger.owed.iter().find(|message| message.key == owed.key && message.to == owed.to);
        let service = message.and_then(|message| message.message.service.as_deref());
        Ok(service.map_or(&self.own, |service| self.of_service(&ServiceName::from(service))))
    }

    /// What is open, by account: with each guard what is for it. What cannot be said to be of one account, because the
    /// ledger cannot be read, is left for the next minute, with the reason. Hooks are Belay's own account's only.
    pub async fn divided(&self, open: Open, now: Timestamp) -> (Vec<(&Guard, Open)>, Vec<AwsError>) {
        if self.members.is_empty() {
            return (vec![(&self.own, open)], Vec::new());
        }
        let Open { watches, questions, hooks, incidents, owed, presses } = open;
        let mut parts: BTreeMap<Option<&str>, Open> = BTreeMap::new();
        let mut unread = Vec::new();
        for watch in watches {
            parts.entry(self.account_of(&watch.service)).or_default().watches.push(watch);
        }
        for question in questions {
            parts.entry(self.account_of(&question.service)).or_default().questions.push(question);
        }
        for incident in incidents {
            parts.entry(self.account_of(&incident.service)).or_default().incidents.push(incident);
        }
        parts.entry(None).or_default().hooks = hooks;
        for press in presses {
            match self.of_press(&press, now).await {
                Ok(guard) => parts.entry(guard.account.as_deref()).or_default().presses.push(press),
                Err(error) => unread.push(error),
            }
        }
        for message in owed {
            match self.of_owed(&message, now).await {
                Ok(guard) => parts.entry(guard.account.as_deref()).or_default().owed.push(message),
                Err(error) => unread.push(error),
            }
        }
        let mut divided = Vec::new();
        for guard in self.all() {
            let open = parts.remove(&guard.account.as_deref());
            divided.extend(open.filter(|open| *open != Open::default()).map(|open| (guard, open)));
        }
        (divided, unread)
    }

    fn account_of(&self, service: &ServiceName) -> Option<&str> {
        self.of_service(service).account.as_deref()
    }
}

fn not_for_us(message: String) -> Failure {
    Failure { kind: "NotForUs", message }
}
