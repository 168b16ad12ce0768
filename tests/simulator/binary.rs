//! A compiled function as a process, in the environment that Lambda gives it and no other.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// A running function; killed when dropped.
pub struct Binary {
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

impl Binary {
    /// Starts it. The environment is cleared but for Lambda's own variables, test credentials and
    /// `env`, which wins. Point AWS_LAMBDA_RUNTIME_API at [`crate::RuntimeApi::address`].
    pub fn spawn(path: impl AsRef<Path>, env: &[(&str, &str)]) -> std::io::Result<Self> {
        let path = path.as_ref();
        Self::start(Command::new(path), path, env)
    }

    /// The same under a tool that runs programs, such as valgrind: `tool` is its path and its arguments.
    pub fn spawn_under(
        tool: (&Path, &[String]),
        path: impl AsRef<Path>,
        env: &[(&str, &str)],
    ) -> std::io::Result<Self> {
        let path = path.as_ref();
        let mut command = Command::new(tool.0);
        command.args(tool.1).arg(path);
        Self::start(command, path, env)
    }

    fn start(mut command: Command, path: &Path, env: &[(&str, &str)]) -> std::io::Result<Self> {
        let name = path.file_stem().and_then(OsStr::to_str).unwrap_or("function");
        let log_group = format!("/aws/lambda/{name}");
        let mut child = command
            .env_clear()
            .envs([
                ("AWS_LAMBDA_FUNCTION_NAME", name),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/03/05/[$LATEST]0123456789abcdef"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_SESSION_TOKEN", "test"),
            ])
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = Captured::from(child.stdout.take().expect("stdout is piped"));
        let stderr = Captured::from(child.stderr.take().expect("stderr is piped"));
        Ok(Self { child, stdout, stderr })
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Its process id; `None` once its end was waited for.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to end, with SIGTERM, as Lambda does (Lambda Developer Guide, "Understanding the Lambda execution
    /// environment lifecycle", Shutdown phase), and waits for that, so long at most.
    pub async fn terminate(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let id = self.id()?.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await.ok()?;
        self.wait_exit(timeout).await
    }

    /// Waits for its end, so long at most, and for the last of its output; `None` while it runs.
    pub async fn wait_exit(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let status = tokio::time::timeout(timeout, self.child.wait()).await.ok()?.ok()?;
        self.stdout.finish(timeout).await;
        self.stderr.finish(timeout).await;
        Some(status)
    }
}

/// A stream read to its end in the background.
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Captured {
    fn from(mut stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = tokio::spawn(async move {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A grandchild may hold the stream open: hence the limit.
    async fn finish(&mut self, timeout: Duration) {
        let _ = tokio::time::timeout(timeout, &mut self.reader).await;
    }
}
