//! AWS STS: roles that can be assumed, and whose credentials were given to whom.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::accounts::HOME;
use crate::asked::Asked;
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::simulator::Simulator;
use crate::world::World;

/// Credentials that were given for a role.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The role's ARN.
    pub(crate) role: String,
    /// The access key id of whoever assumed it.
    pub(crate) through: String,
    token: String,
}

impl Session {
    /// The role's account.
    pub(crate) fn account(&self) -> &str {
        self.role.split(':').nth(4).expect("a role's ARN names its account")
    }
}

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct Sts {
    /// Role → the external id that it demands. Each trusts everybody at home who knows it.
    roles: BTreeMap<String, String>,
    /// Access key id → for what it was given.
    sessions: BTreeMap<String, Session>,
    expires: Option<Timestamp>,
}

/// Clients read the real clock, and virtual time is another: so credentials do not expire here unless a test says so.
/// Invented: STS gives an hour.
const NEVER: &str = "2099-01-01T00:00:00Z";

impl Simulator {
    /// Adds a role that Belay's functions may assume if they show this external id.
    pub fn create_role(&self, arn: &str, external_id: &str) {
        self.world().sts.roles.insert(arn.to_owned(), external_id.to_owned());
    }

    /// Nobody may assume that role any more. Credentials that were given stay good, as AWS's do.
    pub fn delete_role(&self, arn: &str) {
        self.world().sts.roles.remove(arn);
    }

    /// When the credentials expire that are given from now on, by the clients' clock, which is the real one.
    pub fn sessions_expire(&self, at: Timestamp) {
        self.world().sts.expires = Some(at);
    }
}

impl World {
    /// Whose credentials signed a request, where those are a role's. Refused are credentials of a role whose session
    /// token is not the one that was given with them.
    pub(crate) fn session(&self, asked: &Asked) -> Result<Option<Session>, Refusal> {
        let Some(session) = asked.by.as_ref().and_then(|by| self.sts.sessions.get(by)) else {
            return Ok(None);
        };
        if asked.token.as_ref() == Some(&session.token) {
            return Ok(Some(session.clone()));
        }
        let said = "The security token included in the request is invalid.";
        Err(Refusal { status: 403, ..Refusal::new("UnrecognizedClientException", said) })
    }

    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn sts(&mut self, operation: &str, input: &Value, by: Option<&str>) -> Option<Answer> {
        Some(match operation {
            "AssumeRole" => self.assume_role(input, by.unwrap_or_default()),
            _ => return None,
        })
    }

    /// AssumeRole, with STS's limits (its API model: `RoleSessionName` 2 to 64, `ExternalId` 2 to 1224 characters). The
    /// refusal's code, status and words are those that AWS's users report; nothing documents them.
    fn assume_role(&mut self, input: &Value, by: &str) -> Answer {
        let not_modelled =
            ["DurationSeconds", "Policy", "PolicyArns.member.1.arn", "SerialNumber", "TokenCode"];
        only_modelled(input, &not_modelled)?;
        let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let (role, session) = (text("RoleArn"), text("RoleSessionName"));
        let external_id = input["ExternalId"].as_str();
        if !(2..=64).contains(&session.len()) || external_id.is_some_and(|id| !(2..=1224).contains(&id.len()))
        {
            return Err(Refusal::new("ValidationError", "1 validation error detected"));
        }
        if self.sts.roles.get(&role).map(String::as_str) != external_id || external_id.is_none() {
            let message = format!(
                "User: arn:aws:sts::{HOME}:assumed-role/{by}/{by} is not authorized to perform: sts:AssumeRole on resource: {role}"
            );
            return Err(Refusal { status: 403, ..Refusal::new("AccessDenied", message) });
        }
        let mut random = || self.chance.uuid().replace('-', "").to_uppercase();
        let (id, secret, token) = (format!("ASIA{}", &random()[..16]), random(), random());
        let user = role.replacen(":iam:", ":sts:", 1).replacen(":role/", ":assumed-role/", 1);
        let given = Session { role, through: by.to_owned(), token: token.clone() };
        self.sts.sessions.insert(id.clone(), given);
        Ok(json!({
            "Credentials": {
                "AccessKeyId": id,
                "SecretAccessKey": secret,
                "SessionToken": token,
                "Expiration": self.sts.expires.map_or(NEVER.to_owned(), |at| at.to_string()),
            },
            "AssumedRoleUser": { "AssumedRoleId": format!("AROA{}:{session}", &random()[..16]), "Arn": format!("{user}/{session}") },
        }))
    }
}
