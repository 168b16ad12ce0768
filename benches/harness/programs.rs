//! The programs that are measured, and how they come to be.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Trouble;

/// A program, ready to be started.
#[derive(Debug, Clone)]
pub struct Program {
    /// What the table calls it.
    pub name: &'static str,
    /// What is started.
    pub command: PathBuf,
    /// With that.
    pub arguments: Vec<String>,
    /// Beside Lambda's own variables.
    pub environment: Vec<(&'static str, String)>,
    /// Where.
    pub folder: PathBuf,
    /// Whether it stops the deployment; else its answer is what is waited for.
    pub acts: bool,
    /// What of it is deployed as a binary.
    pub deployed: Option<PathBuf>,
}

/// The reference: a function that does nothing.
pub const HELLO: &str = "hello world";
/// The calls that `alarm-transitions` makes until the stop, with nothing decided.
pub const CALLS: &str = "its calls alone";
/// Belay's `alarm-transitions`.
pub const BELAY: &str = "Belay";
/// The peer on boto3.
pub const PYTHON: &str = "Python";
/// The peer on the SDK for JavaScript.
pub const NODE: &str = "Node";

/// All, in the order of the table's columns.
pub const NAMES: [&str; 5] = [HELLO, CALLS, BELAY, PYTHON, NODE];

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:belay";

/// Makes one ready: builds it, installs what it needs.
///
/// # Errors
/// When that cannot be done here; with why.
pub fn make(name: &str) -> Result<Program, Trouble> {
    match name {
        HELLO => Ok(compiled(HELLO, built("belay-hello", "hello")?, Vec::new(), false)),
        CALLS => Ok(compiled(CALLS, built("belay-calls", "calls")?, Vec::new(), true)),
        BELAY => {
            let policy = here().join("belay.yaml");
            let environment = vec![
                ("BELAY_POLICY", policy.display().to_string()),
                ("BELAY_LEDGER_TABLE", "belay-ledger".to_owned()),
                ("BELAY_TOPIC_ARN", TOPIC.to_owned()),
            ];
            Ok(compiled(BELAY, alarm_transitions()?, environment, true))
        }
        PYTHON => {
            let folder = installed("python")?;
            let arguments = ["-m", "awslambdaric", "function.handler"];
            Ok(peer(PYTHON, folder.join("venv/bin/python3"), &arguments, folder))
        }
        NODE => {
            let folder = installed("node")?;
            let node = which("node").ok_or("there is no node")?;
            let runtime = folder.join("node_modules/aws-lambda-ric/bin/index.mjs").display().to_string();
            let mut program = peer(NODE, node, &[&runtime, "index.handler"], folder.join("bundle"));
            // The SDK's warning about Node 20, which Lambda's own start does not wait for either.
            program.environment.push(("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true".to_owned()));
            Ok(program)
        }
        _ => Err(format!("there is no program {name}; there are {}", NAMES.join(", ")).into()),
    }
}

fn compiled(
    name: &'static str,
    path: PathBuf,
    environment: Vec<(&'static str, String)>,
    acts: bool,
) -> Program {
    Program {
        name,
        command: path.clone(),
        arguments: Vec::new(),
        environment,
        folder: PathBuf::from("/"),
        acts,
        deployed: Some(path),
    }
}

fn peer(name: &'static str, command: PathBuf, arguments: &[&str], folder: PathBuf) -> Program {
    let groups = r#"{"orders-5xx":{"application":"orders","group":"prod"},"orders-latency":{"application":"orders","group":"prod"},"payments-5xx":{"application":"payments","group":"prod"}}"#;
    Program {
        name,
        command,
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        environment: vec![
            ("GROUPS", groups.to_owned()),
            ("TOPIC_ARN", TOPIC.to_owned()),
            ("LAMBDA_TASK_ROOT", folder.display().to_string()),
        ],
        folder,
        acts: true,
        deployed: None,
    }
}

/// What `sam build` built, if `BELAY_BUILT` says where that is (an absolute path, `.aws-sam/build`): what is deployed
/// is what is measured. Otherwise what cargo builds with the same profile.
fn alarm_transitions() -> Result<PathBuf, Trouble> {
    match env::var_os("BELAY_BUILT") {
        None => built("alarm-transitions", "alarm-transitions"),
        Some(folder) => {
            let path = PathBuf::from(folder).join("AlarmTransitions/bootstrap");
            if !path.is_file() {
                return Err(format!("BELAY_BUILT is set, and {} is not there", path.display()).into());
            }
            Ok(path)
        }
    }
}

/// Builds a package alone: a build of the whole workspace would unify features and give another program.
fn built(package: &str, binary: &str) -> Result<PathBuf, Trouble> {
    let root = here().join("..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let path = target.join("release").join(binary);
    if env::var_os("BELAY_BENCH_BUILDS").is_some_and(|builds| builds == "no") {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("{} is not there", path.display()).into())
        };
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(&root).args(["build", "--release", "--locked", "--quiet", "-p", package]);
    run(&mut build)?;
    Ok(path.canonicalize()?)
}

/// Installs what a peer needs, if that is not done yet.
fn installed(peer: &str) -> Result<PathBuf, Trouble> {
    let scratch = env::var_os("BELAY_PEERS").map_or_else(|| here().join("../target/peers"), PathBuf::from);
    run(Command::new(here().join("peers/install")).arg(peer).arg(&scratch))?;
    Ok(scratch.join(peer).canonicalize()?)
}

/// The size of a binary's deployment package: zipped with the most effort, in MB of 1,000,000 bytes.
///
/// # Errors
/// When there is no Python to zip it.
#[allow(clippy::cast_precision_loss, reason = "some megabytes")]
pub fn zipped(binary: &Path) -> Result<f64, Trouble> {
    let script = "import io,sys,zipfile as z\nb=io.BytesIO()\nwith z.ZipFile(b,'w',z.ZIP_DEFLATED,compresslevel=9) as f: f.write(sys.argv[1],'bootstrap')\nprint(b.tell())";
    let output = Command::new("python3").args(["-c", script]).arg(binary).output()?;
    let size: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(size as f64 / 1e6)
}

fn run(command: &mut Command) -> Result<(), Trouble> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn which(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
