//! Lambda's Runtime API for one process, and when what was heard on it. Paths and headers are those of the Lambda
//! Developer Guide, "Using the Lambda runtime API".

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming};
use tokio::sync::{Mutex, mpsc};

use crate::{Trouble, served::Served};

/// How long Lambda would let the function run.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a process did.
#[derive(Debug)]
pub enum Heard {
    /// It asked for an event.
    Polled(Instant),
    /// It got one.
    Handed(Instant),
    /// It answered.
    Answered(Instant, Bytes),
    /// It could not start, or the event failed; with what it said.
    Failed(String),
}

struct Shared {
    waiting: Mutex<mpsc::UnboundedReceiver<Bytes>>,
    heard: mpsc::UnboundedSender<Heard>,
}

/// A Runtime API.
pub struct RuntimeApi {
    served: Served,
    events: mpsc::UnboundedSender<Bytes>,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl RuntimeApi {
    /// Begins to listen.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start() -> Result<Self, Trouble> {
        let (events, waiting) = mpsc::unbounded_channel();
        let (hear, heard) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { waiting: Mutex::new(waiting), heard: hear });
        let served =
            Served::start(None, move |request| answer(Arc::clone(&shared), request, Instant::now())).await?;
        Ok(Self { served, events, heard })
    }

    /// For AWS_LAMBDA_RUNTIME_API.
    pub fn address(&self) -> &str {
        &self.served.address
    }

    /// The next event.
    pub fn put(&self, event: Bytes) {
        // The receiver lives as long as the server, and that as long as this.
        let _ = self.events.send(event);
    }

    /// What happened next.
    pub async fn heard(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    at: Instant,
) -> Result<Response<Full<Bytes>>, Trouble> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let note = |heard| {
        // Nobody listens any more when the measurement is over.
        let _ = shared.heard.send(heard);
    };
    match (head.method, parts.as_slice()) {
        (Method::GET, ["invocation", "next"]) => {
            note(Heard::Polled(at));
            let event = shared.waiting.lock().await.recv().await.ok_or("the benchmark is over")?;
            let response = handed(event)?;
            note(Heard::Handed(Instant::now()));
            return Ok(response);
        }
        (Method::POST, ["invocation", _, "response"]) => {
            note(Heard::Answered(at, body.collect().await?.to_bytes()));
        }
        (_, _) => {
            let body = body.collect().await?.to_bytes();
            note(Heard::Failed(format!("{path}: {}", String::from_utf8_lossy(&body))));
        }
    }
    let accepted = Response::builder().status(202).header("content-type", "application/json");
    Ok(accepted.body(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}")))?)
}

fn handed(event: Bytes) -> Result<Response<Full<Bytes>>, Trouble> {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let deadline = (SystemTime::now() + DEADLINE).duration_since(UNIX_EPOCH)?.as_millis();
    let response = Response::builder()
        .status(200)
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", format!("8476a536-e9f4-11e8-9739-{number:012x}"))
        .header("lambda-runtime-deadline-ms", deadline.to_string())
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:measured",
        )
        .header(
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        );
    Ok(response.body(Full::new(event))?)
}
