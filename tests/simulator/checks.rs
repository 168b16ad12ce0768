//! The simulator, seen through the real SDK clients.

mod alarms;
mod approvals;
mod builds;
mod chats;
mod clients;
mod deliveries;
mod deployments;
mod faults;
mod hooks;
mod invocations;
mod log_pages;
mod people;
mod permitted;
mod pipeline_events;
mod pipelines;
mod processes;
mod scripts;
mod secrets;
mod services;
mod slack_messages;
mod slack_troubles;
mod stacks;
mod storms;
mod tables_and_messages;
mod teams_cards;
mod widgets;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::{Behaviour, Group, Shifting, Simulator, Workload};

/// A quiet Thursday.
fn thursday() -> Timestamp {
    "2026-03-05T14:00:00Z".parse().unwrap()
}

fn minutes(count: u64) -> std::time::Duration {
    std::time::Duration::from_secs(60 * count)
}

/// A Lambda group at v41 with a canary of 10 percent for five minutes, and users.
async fn orders(change: impl FnOnce(Group) -> Group) -> Simulator {
    let simulator = Simulator::start(thursday()).await;
    let group = Group::lambda("orders", "orders-prod")
        .baseline("v41")
        .shifting(Shifting::Canary { percent: 10, minutes: 5 });
    simulator.create_group(change(group));
    simulator.set_workload("orders-prod", Workload::steady(600.0).revision("v42", Behaviour::failing(0.5)));
    simulator
}

fn release(simulator: &Simulator) -> String {
    simulator.start_deployment("orders", "orders-prod", "v42", "user").unwrap()
}

/// Every path of keys, with `[]` for the members of a list; text that holds JSON is looked into.
fn key_paths(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    walk(member, &format!("{path}.{name}"), paths);
                }
            }
            Value::Array(members) => {
                for member in members {
                    walk(member, &format!("{path}[]"), paths);
                }
            }
            Value::String(text) if text.starts_with('{') => {
                let inner: Value = serde_json::from_str(text).unwrap();
                walk(&inner, path, paths);
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                paths.insert(path.to_owned());
            }
        }
    }
    let mut paths = BTreeSet::new();
    walk(value, "", &mut paths);
    paths
}
