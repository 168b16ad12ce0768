//! The compiled programs: where they are, and the environment in which Lambda runs them.

use std::path::{Path, PathBuf};

use super::{
    deployed,
    functions::{CHAT_SECRET, REGION, TABLE, TOPIC},
};
use crate::{RuntimeApi, Simulator};

/// What `sam build` built of a function, if `BELAY_BUILT` says where that is: an absolute path, `.aws-sam/build`. So
/// what is deployed is what is tested and measured.
///
/// # Panics
/// When `BELAY_BUILT` is set and the program is not there.
#[allow(
    clippy::disallowed_methods,
    reason = "it says which programs a test is about, and is no setting of Belay's"
)]
pub fn deployed(function: &str) -> Option<PathBuf> {
    let built = PathBuf::from(std::env::var_os("BELAY_BUILT")?);
    let functions = deployed::stack().functions();
    let its = functions.iter().find(|one| one.name == function);
    let its = its.unwrap_or_else(|| panic!("template.yaml has no function {function}"));
    let path = built.join(&its.logical).join("bootstrap");
    assert!(path.is_file(), "BELAY_BUILT is set, and {} is not there", path.display());
    Some(path)
}

/// The environment of a function's program beside this Runtime API and this simulator. The access key id is the
/// function's name: so the simulator holds it to its role. A policy that talks needs what chat needs.
pub fn environment(
    function: &str,
    (runtime, simulator): (&RuntimeApi, &Simulator),
    policy: &Path,
    talks: bool,
) -> Vec<(&'static str, String)> {
    let endpoint = simulator.endpoint();
    let mut environment = vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime.address().to_owned()),
        ("AWS_ACCESS_KEY_ID", function.to_owned()),
        ("AWS_ENDPOINT_URL", endpoint.clone()),
        ("AWS_REGION", REGION.to_owned()),
        ("BELAY_POLICY", policy.display().to_string()),
        ("BELAY_LEDGER_TABLE", TABLE.to_owned()),
        ("BELAY_TOPIC_ARN", TOPIC.to_owned()),
    ];
    if talks {
        environment.push(("BELAY_CHAT_SECRET", CHAT_SECRET.to_owned()));
        environment.push(("BELAY_SLACK_API", format!("{endpoint}/slack/api")));
    }
    environment
}

/// The same as [`crate::Binary::spawn`] takes it.
pub fn pairs<'a>(environment: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
