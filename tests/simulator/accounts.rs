//! Many accounts. The world's fields are those of one account, the one that is worked in; the others are kept aside, and
//! changed with it for a call that is signed for them, and for their part of each tick.
//!
//! Inside, every account writes [`HOME`] where AWS writes an account's number: on its way out an answer or an event is
//! given the number of the account that it comes from, and a request on its way in loses it. What belongs to Belay alone
//! (tables, topics, secrets, functions and what is on its way to them) is not an account's but the world's: it is at home.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cloudformation::CloudFormation;
use crate::cloudwatch::CloudWatch;
use crate::codebuild::CodeBuild;
use crate::codedeploy::CodeDeploy;
use crate::codepipeline::CodePipeline;
use crate::ecs::Ecs;
use crate::elb::LoadBalancing;
use crate::lambda::Invoked;
use crate::logs::Logs;
use crate::refusal::Refusal;
use crate::simulator::Simulator;
use crate::traffic::Served;
use crate::world::World;

/// The account in which Belay runs.
pub(crate) const HOME: &str = "123456789012";

/// What belongs to one account.
#[derive(Default)]
struct Account {
    code_deploy: CodeDeploy,
    code_pipeline: CodePipeline,
    cloud_watch: CloudWatch,
    cloud_formation: CloudFormation,
    code_build: CodeBuild,
    logs: Logs,
    ecs: Ecs,
    load_balancing: LoadBalancing,
    lambda: BTreeMap<String, Invoked>,
    traffic: BTreeMap<String, Served>,
}

/// Which account is worked in, and the others.
pub(crate) struct Accounts {
    here: String,
    aside: BTreeMap<String, Account>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { here: HOME.to_owned(), aside: BTreeMap::new() }
    }
}

impl World {
    /// Works in another account from now on; the answer is the one before.
    pub(crate) fn go_to(&mut self, account: &str) -> String {
        if self.accounts.here == account {
            return account.to_owned();
        }
        let mut other = self.accounts.aside.remove(account).unwrap_or_default();
        std::mem::swap(&mut self.code_deploy, &mut other.code_deploy);
        std::mem::swap(&mut self.code_pipeline, &mut other.code_pipeline);
        std::mem::swap(&mut self.cloud_watch, &mut other.cloud_watch);
        std::mem::swap(&mut self.cloud_formation, &mut other.cloud_formation);
        std::mem::swap(&mut self.code_build, &mut other.code_build);
        std::mem::swap(&mut self.logs, &mut other.logs);
        std::mem::swap(&mut self.ecs, &mut other.ecs);
        std::mem::swap(&mut self.load_balancing, &mut other.load_balancing);
        std::mem::swap(&mut self.lambda, &mut other.lambda);
        std::mem::swap(&mut self.traffic, &mut other.traffic);
        let left = std::mem::replace(&mut self.accounts.here, account.to_owned());
        self.accounts.aside.insert(left.clone(), other);
        left
    }

    /// Does the same in every account.
    pub(crate) fn everywhere(&mut self, each: impl Fn(&mut Self)) {
        let here = self.accounts.here.clone();
        let aside: Vec<String> = self.accounts.aside.keys().cloned().collect();
        each(self);
        for account in aside {
            self.go_to(&account);
            each(self);
        }
        self.go_to(&here);
    }

    /// What comes from the account that is worked in, with its number.
    pub(crate) fn outward(&self, text: &str) -> String {
        text.replace(HOME, &self.accounts.here)
    }

    pub(crate) fn outward_value(&self, value: Value) -> Value {
        if self.accounts.here == HOME {
            return value;
        }
        serde_json::from_str(&self.outward(&value.to_string())).expect("a number within a text")
    }

    pub(crate) fn outward_refusal(&self, refusal: Refusal) -> Refusal {
        Refusal { message: self.outward(&refusal.message), ..refusal }
    }

    /// What is asked of the account that is worked in. Another account's number stays, so that nothing is found by it.
    pub(crate) fn inward(&self, value: &Value) -> Value {
        if self.accounts.here == HOME {
            return value.clone();
        }
        let (elsewhere, text) = ("an account that is another", value.to_string());
        let text = text.replace(HOME, elsewhere).replace(&self.accounts.here, HOME);
        serde_json::from_str(&text).expect("a number within a text")
    }
}

impl Simulator {
    /// Scripts and questions are about this account from now on, twelve digits; at first they are about the one in
    /// which Belay runs. Its events are forwarded to Belay's functions.
    pub fn work_in(&self, account: &str) {
        self.world().go_to(account);
    }

    /// The same for as long as `script` runs.
    pub fn in_account<T>(&self, account: &str, script: impl FnOnce(&Self) -> T) -> T {
        let before = self.world().go_to(account);
        let result = script(self);
        self.world().go_to(&before);
        result
    }
}
