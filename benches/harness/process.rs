//! A program as Lambda starts it: in the environment that Lambda gives it and no other.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

use crate::{
    Trouble,
    endpoint::Endpoint,
    programs::Program,
    runtime_api::{Heard, RuntimeApi},
    share::Share,
    tls::Tls,
};

/// After which a program is taken to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the shell took beyond its share it owes: with that the program would be held before it begins.
const PAID: Duration = Duration::from_millis(500);

/// By which variables programs are told whom to trust: Belay as OpenSSL, boto3 and Node.
const TRUSTING: [&str; 3] = ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];

/// Under which conditions programs run.
#[derive(Default)]
pub struct Conditions {
    /// Each held to this share of one CPU.
    pub share: Option<f64>,
    /// Asking by TLS, each service at its own address.
    pub tls: Option<Tls>,
}

/// A running program; killed when dropped.
pub struct Process {
    name: &'static str,
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
    /// Just before it was started.
    pub started: Instant,
    _share: Option<Share>,
}

/// The moments of one invocation.
#[derive(Debug)]
pub struct Invocation {
    /// The first poll since the invocation before, or since the start.
    pub polled: Option<Instant>,
    /// The event was on its way.
    pub handed: Instant,
    /// The answer's head had arrived.
    pub answered: Instant,
    /// The answer.
    pub answer: Bytes,
}

impl Process {
    /// Starts it under these conditions.
    ///
    /// # Errors
    /// When there is no such program, or it cannot be held.
    pub async fn start(
        program: &Program,
        runtime: &RuntimeApi,
        endpoint: &Endpoint,
        conditions: &Conditions,
    ) -> Result<Self, Trouble> {
        let share = conditions.share.map(Share::of).transpose()?;
        let held_by = share.as_ref().map(Share::folder);
        let mut command = match &held_by {
            None => {
                let mut command = Command::new(&program.command);
                command.stdin(Stdio::null());
                command
            }
            // A shell enters the group and waits: what it cost is over when the clock starts.
            Some(group) => {
                let mut command = Command::new("/bin/sh");
                command.args([
                    "-c",
                    "echo $$ > \"$0\"/cgroup.procs && echo && read -r go && exec \"$@\" </dev/null",
                    group,
                ]);
                command.arg(&program.command).stdin(Stdio::piped());
                command
            }
        };
        command.args(&program.arguments).current_dir(&program.folder).env_clear();
        command
            .envs(lambda(program.name))
            .envs(program.environment.iter().map(|(name, value)| (name, value)));
        command.env("AWS_LAMBDA_RUNTIME_API", runtime.address()).envs(endpoint.environment());
        if let Some(tls) = &conditions.tls {
            command.envs(TRUSTING.map(|name| (name, tls.root())));
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut started = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.command.display()))?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let mut stdout = child.stdout.take().ok_or("no standard output")?;
        if held_by.is_some() {
            if stdout.read_u8().await.is_err() {
                return Err("cannot be held to a share of the CPU".into());
            }
            tokio::time::sleep(PAID).await;
            let mut stdin = child.stdin.take().ok_or("no standard input")?;
            started = Instant::now();
            stdin.write_all(b"\n").await?;
        }
        keep(stdout, &said);
        keep(child.stderr.take().ok_or("no standard error")?, &said);
        Ok(Self { name: program.name, child, said, started, _share: share })
    }

    /// Waits until it has answered an event.
    ///
    /// # Errors
    /// When it fails, ends or hangs: then with what it said.
    pub async fn answers(&mut self, runtime: &mut RuntimeApi) -> Result<Invocation, Trouble> {
        let waited = tokio::time::timeout(PATIENCE, async {
            let (mut polled, mut handed) = (None, None);
            loop {
                tokio::select! {
                    heard = runtime.heard() => match heard {
                        Some(Heard::Polled(at)) => { polled.get_or_insert(at); }
                        Some(Heard::Handed(at)) => handed = Some(at),
                        Some(Heard::Answered(answered, answer)) => {
                            let handed = handed.ok_or("answered what it was not asked")?;
                            return Ok(Invocation { polled, handed, answered, answer });
                        }
                        Some(Heard::Failed(why)) => return Err(why),
                        None => return Err("the Runtime API is gone".to_owned()),
                    },
                    status = self.child.wait() => {
                        return Err(format!("ended: {}", status.map_or_else(|error| error.to_string(), |status| status.to_string())));
                    }
                }
            }
        });
        let failure = match waited.await {
            Ok(Ok(invocation)) => return Ok(invocation),
            Ok(Err(why)) => why,
            Err(_) => format!("no answer in {} s", PATIENCE.as_secs()),
        };
        // What it said last may still be in the pipe.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(format!("{}: {failure}\n{}", self.name, self.said()).into())
    }

    /// What it has written so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// The most memory that it has had so far, in MB of 1,000,000 bytes (proc(5), `VmHWM`).
    ///
    /// # Errors
    /// When there is no such process any more.
    pub fn peak(&self) -> Result<f64, Trouble> {
        let id = self.child.id().ok_or("it has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1024.0 / 1e6)
    }

    /// Ends it, and waits for its end.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn kill(mut self) -> Result<(), Trouble> {
        Ok(self.child.kill().await?)
    }
}

/// Reads a stream to its end in the background, as Lambda does for the logs.
fn keep(mut stream: impl AsyncRead + Unpin + Send + 'static, said: &Arc<Mutex<Vec<u8>>>) {
    let said = Arc::clone(said);
    tokio::spawn(async move {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut chunk).await {
            let read = chunk.get(..length).unwrap_or_default();
            said.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(read);
        }
    });
}

/// Lambda Developer Guide, "Defined runtime environment variables"; the smallest memory size.
fn lambda(name: &str) -> Vec<(&'static str, String)> {
    let fixed = [
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/03/05/[$LATEST]0123456789abcdef"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_SESSION_TOKEN", "test"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ];
    let named = [
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
    ];
    fixed.into_iter().map(|(name, value)| (name, value.to_owned())).chain(named).collect()
}
