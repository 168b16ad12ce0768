//! What a stack of functions is about: which step of a cold start, which call to AWS, which part of that call.
//!
//! Told by the names that the compiler left: what it has put into its callers has no name, and is counted as theirs.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use super::tree::stacks;

/// What instructions are for. Drawn in one colour each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The dynamic loader and what the C library does before `main`.
    Loading,
    /// The async runtime, the Lambda runtime, logging.
    Runtime,
    /// The root certificates, and what else TLS needs before its first connection.
    Roots,
    /// The SDK's configuration and clients.
    Clients,
    /// What the SDK does around a call.
    Sdk,
    /// Signing requests.
    Signing,
    /// Writing requests and reading answers.
    Wire,
    /// HTTP, to AWS and to Lambda's Runtime API.
    Http,
    /// Belay's own code: settings, policy, events, judging, cards.
    Own,
}

impl Phase {
    /// All, in the order in which they are drawn.
    pub const ALL: [Self; 9] = [
        Self::Loading,
        Self::Runtime,
        Self::Roots,
        Self::Clients,
        Self::Sdk,
        Self::Signing,
        Self::Wire,
        Self::Http,
        Self::Own,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loading => "loading the program",
            Self::Runtime => "runtimes, logging",
            Self::Roots => "TLS roots",
            Self::Clients => "SDK clients",
            Self::Sdk => "SDK around calls",
            Self::Signing => "signing",
            Self::Wire => "requests and answers",
            Self::Http => "HTTP",
            Self::Own => "Belay's own code",
        })
    }
}

/// Words in functions' names, what they are called in a picture, and what for. The first that is anywhere in a stack
/// counts.
type Rules = &'static [(&'static [&'static str], &'static str, Phase)];

/// The steps of a cold start.
const STEPS: Rules = &[
    (&["belay::policy::Policy::parse", "belay::yaml", "saphyr_parser"], "policy", Phase::Own),
    (&["belay::settings"], "settings", Phase::Own),
    (&["belay::start::guards", "belay::aws::Adapters::new", "aws_config"], "clients", Phase::Clients),
    (&["belay::chat::signature", "signing_secrets", "chat_actions::verified"], "verify", Phase::Own),
    (&["belay::carry_out::telling", "belay::channel", "belay::chat"], "tell", Phase::Own),
    (&["belay::carry_out::undoing"], "undo", Phase::Own),
    (&["belay::carry_out"], "carry out", Phase::Own),
    (&["belay::gather"], "gather", Phase::Own),
    (&["belay::events"], "read the event", Phase::Own),
    (&["belay::widget"], "draw", Phase::Own),
    (&["belay::decision", "belay::plan"], "decide", Phase::Own),
    (&["tracing_subscriber", "init_default_subscriber"], "logging", Phase::Runtime),
    (
        &[
            "alarm_transitions::handle",
            "chat_actions::handle",
            "chat_actions::respond",
            "lifecycle_hooks::handle",
            "pipeline_events::handle",
            "release_widget::handle",
            "stack_drift::handle",
            "sweep::handle",
            "belay::",
        ],
        "judge",
        Phase::Own,
    ),
    (&["lambda_runtime"], "Lambda runtime", Phase::Runtime),
    (&["hyper"], "connections", Phase::Http),
    (&["_dl_"], "loading", Phase::Loading),
    (&["std::rt::", "__rust_begin_short_backtrace", "main"], "async runtime", Phase::Runtime),
];

/// The parts of what the SDK does.
const PARTS: Rules = &[
    (
        &["rustls", "webpki", "wrap_connector", "build_https", "native_certs", "validate_base_client_config"],
        "TLS roots",
        Phase::Roots,
    ),
    (&["PartitionResolver", "endpoint_lib::partition"], "partitions", Phase::Clients),
    (
        &["belay::aws::client::Client<", "belay::aws::client::endpoint", "aws_config", "SdkConfig"],
        "client",
        Phase::Clients,
    ),
    (&["sign_request", "aws_sigv4"], "sign", Phase::Signing),
    (&["RequestSerializer", "serialize_input"], "request", Phase::Wire),
    (&["ResponseDeserializer", "deserialize_"], "answer", Phase::Wire),
    (&["hyper", "HttpConnector", "http_connector"], "HTTP", Phase::Http),
    (&["aws_smithy", "aws_runtime", "aws_sdk", "belay::aws::client"], "SDK", Phase::Sdk),
];

/// What callgrind's stacks come to: instructions by what they were for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs(BTreeMap<Place, u64>);

/// What instructions are for: the step, the call within it and the part of the call, where there are such.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The step.
    pub step: &'static str,
    /// The adapter's function, such as `ledger: put_if_absent`.
    pub call: Option<String>,
    /// The part of the call.
    pub part: Option<&'static str>,
    /// What for.
    pub phase: Phase,
}

/// Which rules a function's name meets.
#[derive(Clone, Debug)]
struct Met {
    /// The first rule of [`STEPS`].
    step: usize,
    /// The first rule of [`PARTS`].
    part: usize,
    call: Option<String>,
}

impl Costs {
    /// Reads a profile.
    ///
    /// # Errors
    /// The line that cannot be read.
    pub fn read(profile: &str) -> Result<Self, String> {
        let mut known: HashMap<String, Met> = HashMap::new();
        let mut costs = BTreeMap::new();
        stacks(profile, |stack, cost| {
            let mut all = Met { step: STEPS.len(), part: PARTS.len(), call: None };
            for function in stack {
                if !known.contains_key(*function) {
                    known.insert((*function).to_owned(), Met::of(function));
                }
                let Some(met) = known.get(*function) else { continue };
                all.step = all.step.min(met.step);
                all.part = all.part.min(met.part);
                // The innermost one is the one that calls.
                all.call = met.call.clone().or(all.call);
            }
            *costs.entry(all.place()).or_default() += cost;
        })?;
        Ok(Self(costs))
    }

    /// What is left when as much was taken away as `other` has.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let left = self.0.iter().map(|(place, cost)| {
            let taken = other.0.get(place).copied().unwrap_or_default();
            (place.clone(), cost.saturating_sub(taken))
        });
        Self(left.filter(|(_, cost)| *cost > 0).collect())
    }

    /// All instructions.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The instructions for each purpose.
    pub fn by_phase(&self) -> BTreeMap<Phase, u64> {
        let mut phases = BTreeMap::new();
        for (place, cost) in &self.0 {
            *phases.entry(place.phase).or_default() += cost;
        }
        phases
    }

    /// Every place and its instructions.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, u64)> {
        self.0.iter().map(|(place, cost)| (place, *cost))
    }
}

impl Met {
    fn of(function: &str) -> Self {
        let first = |rules: Rules| {
            let met = |(words, _, _): &(&[&str], _, _)| words.iter().any(|word| function.contains(word));
            rules.iter().position(met).unwrap_or(rules.len())
        };
        Self { step: first(STEPS), part: first(PARTS), call: call(function) }
    }

    fn place(self) -> Place {
        let step = STEPS.get(self.step).copied();
        let (_, step, phase) = step.unwrap_or((&[], "loading", Phase::Loading));
        // Functions that were compiled to the same code are one, by the name of any of them: what calls nobody has no
        // part of a call, whatever its functions are named.
        let alone = ["policy", "settings", "read the event", "logging", "loading"].contains(&step);
        match PARTS.get(self.part).filter(|_| !alone) {
            // What is a connection's and a part of no call is HTTP alone.
            Some((_, _, phase)) if step == "connections" => {
                Place { step, call: None, part: None, phase: *phase }
            }
            Some((_, part, phase)) => {
                // `main` has swallowed what makes the configuration.
                let swallowed = step == "async runtime" && matches!(phase, Phase::Roots | Phase::Clients);
                let step = if swallowed { "clients" } else { step };
                Place { step, call: self.call, part: Some(part), phase: *phase }
            }
            None => Place { step, call: self.call.filter(|_| !alone), part: None, phase },
        }
    }
}

/// `ledger: put_if_absent` of `belay::aws::ledger::Ledger::put_if_absent::{{closure}}`.
fn call(function: &str) -> Option<String> {
    let (_, rest) = function.split_once("belay::aws::")?;
    let words: Vec<&str> = rest.split("::").filter(|word| !word.starts_with(['{', '<'])).collect();
    // What sends every adapter's calls is none itself.
    let adapter = words.first().filter(|first| **first != "client")?.trim_end_matches('>');
    let last = words.last().filter(|_| words.len() > 1)?;
    Some(if *last == "new" { adapter.to_owned() } else { format!("{adapter}: {last}") })
}

#[cfg(test)]
mod tests {
    use super::{Costs, Phase, call};

    const LOADED: &str = "fn=(1) _dl_relocate_object'_dl_start'0x1ab70\n1 50\n";
    const READ: &str = "fn=(2) rustls_pki_types::pem::read'belay::aws::client::Client<S>::plugins'belay::start::guards::Guards::of'main\n1 30\n";
    const MADE: &str =
        "fn=(4) webpki::anchor'aws_smithy_http_client::build_https'sweep::main::{{closure}}'main\n1 8\n";
    const SIGNED: &str = "fn=(3) aws_sigv4::sign'aws_smithy_runtime::client::orchestrator::invoke'belay::aws::client::Call::sent_by::{{closure}}'belay::aws::ledger::Ledger::put_if_absent::{{closure}}'belay::carry_out::telling::send::{{closure}}'belay::carry_out::carry_out'lambda_runtime::runtime::process_invocation'main\n1 20\n";

    fn places(costs: &Costs) -> Vec<String> {
        let places = costs.iter().map(|(place, cost)| {
            let call = place.call.as_deref().unwrap_or("-");
            format!("{} / {call} / {} = {cost}", place.step, place.part.unwrap_or("-"))
        });
        places.collect()
    }

    #[test]
    fn a_stack_is_told_by_its_step_its_call_and_the_calls_part() {
        let costs = Costs::read(&[LOADED, READ, SIGNED].concat()).unwrap();
        let expected = [
            "clients / - / TLS roots = 30",
            "loading / - / - = 50",
            "tell / ledger: put_if_absent / sign = 20",
        ];
        assert_eq!(places(&costs), expected);
        let phases: Vec<(Phase, u64)> = costs.by_phase().into_iter().collect();
        assert_eq!(phases, [(Phase::Loading, 50), (Phase::Roots, 30), (Phase::Signing, 20)]);
        assert_eq!(costs.total(), 100);
    }

    #[test]
    fn what_main_makes_for_clients_is_not_its_runtimes() {
        let costs = Costs::read(MADE).unwrap();
        assert_eq!(places(&costs), ["clients / - / TLS roots = 8"]);
    }

    #[test]
    fn a_policy_is_read_without_the_network() {
        let profile = "fn=(5) drop_in_place<rustls::Roots>'belay::policy::Policy::parse'main\n1 9\n";
        assert_eq!(places(&Costs::read(profile).unwrap()), ["policy / - / - = 9"]);
    }

    #[test]
    fn what_was_before_the_event_is_taken_away() {
        let (init, whole) = ([LOADED, READ].concat(), [LOADED, READ, SIGNED].concat());
        let (init, whole) = (Costs::read(&init).unwrap(), Costs::read(&whole).unwrap());
        assert_eq!(places(&whole.without(&init)), ["tell / ledger: put_if_absent / sign = 20"]);
        assert_eq!(places(&init.without(&whole)), [""; 0]);
    }

    #[test]
    fn an_adapters_function_is_a_call_whatever_trait_it_is_of() {
        for (function, expected) in [
            ("belay::aws::codedeploy::CodeDeploy::stop::{{closure}}", Some("codedeploy: stop")),
            (
                "belay::aws::ledger::notes::<impl belay::aws::ledger::Ledger>::queried::{{closure}}",
                Some("ledger: queried"),
            ),
            ("belay::aws::ledger::Ledger::new", Some("ledger")),
            ("belay::aws::client::Client<S>::plugins", None),
            ("belay::aws::client::Call::sent_by", None),
            ("aws_sdk_dynamodb::operation::query::Query::orchestrate", None),
            ("belay::gather::group::group", None),
        ] {
            assert_eq!(call(function).as_deref(), expected, "{function}");
        }
    }
}
