//! Lambda's Runtime API, so that a compiled function can be run as Lambda runs it.
//!
//! The one place that reads the clock: a real process has real deadlines. Paths, headers and answers are
//! those of the Lambda Developer Guide, "Using the Lambda runtime API".

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// A function error, or none of the function's doing: see `error_type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationError {
    /// The function's `errorType`; `Sandbox.Timedout` when it did not answer before its deadline.
    pub error_type: String,
    /// The function's `errorMessage`.
    pub message: String,
}

type Answer = Result<Value, InvocationError>;

struct Waiting {
    request_id: String,
    payload: Vec<u8>,
    deadline: SystemTime,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    running: BTreeMap<String, oneshot::Sender<Answer>>,
    init_error: Option<InvocationError>,
    /// How often the process has asked for an event.
    asked: usize,
}

struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    /// The process asks for an event.
    asks: Notify,
    /// By which ARN the process is invoked.
    function: String,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Runtime API for one function.
pub struct RuntimeApi {
    shared: Arc<Shared>,
    address: String,
    server: JoinHandle<()>,
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl RuntimeApi {
    /// Begins to listen on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_as("arn:aws:lambda:us-east-1:123456789012:function:simulated").await
    }

    /// The same for a function that is invoked by this ARN.
    pub async fn start_as(function: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            arrived: Notify::new(),
            asks: Notify::new(),
            function: function.to_owned(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { shared, address: address.to_string(), server }
    }

    /// For the environment variable AWS_LAMBDA_RUNTIME_API: host and port, without a scheme.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Hands an event to the process and waits for its answer, at the longest until the deadline.
    pub async fn invoke(&self, payload: impl Into<Vec<u8>>, deadline: Duration) -> Answer {
        let (answer, answered) = oneshot::channel();
        let request_id = {
            // Unique among all functions and their instances, as Lambda's are: claims rest on that.
            static COUNT: AtomicU64 = AtomicU64::new(1);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let mut state = self.shared.state();
            let request_id = format!("8476a536-e9f4-11e8-9739-{number:012x}");
            state.running.insert(request_id.clone(), answer);
            state.waiting.push_back(Waiting {
                request_id: request_id.clone(),
                payload: payload.into(),
                deadline: real_now() + deadline,
            });
            request_id
        };
        self.shared.arrived.notify_one();
        match tokio::time::timeout(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => {
                let mut state = self.shared.state();
                state.running.remove(&request_id);
                state.waiting.retain(|waiting| waiting.request_id != request_id);
                Err(InvocationError {
                    error_type: "Sandbox.Timedout".to_owned(),
                    message: format!(
                        "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
                        deadline.as_secs_f64()
                    ),
                })
            }
        }
    }

    /// Waits until the process has asked for an event so many times, so long at most; whether it has.
    pub async fn has_asked(&self, times: usize, within: Duration) -> bool {
        let asked = async {
            while self.shared.state().asked < times {
                self.shared.asks.notified().await;
            }
        };
        tokio::time::timeout(within, asked).await.is_ok()
    }

    /// What the process said when it could not start.
    pub fn init_error(&self) -> Option<InvocationError> {
        self.shared.state().init_error.clone()
    }
}

/// Deadlines go over the wire as real time.
#[allow(clippy::disallowed_methods, reason = "a real process compares this deadline with the real clock")]
fn real_now() -> SystemTime {
    SystemTime::now()
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path().strip_prefix("/2018-06-01/runtime/");
    let parts: Vec<&str> = path.unwrap_or_default().split('/').collect();
    Ok(match (head.method, parts.as_slice()) {
        (Method::GET, ["invocation", "next"]) => next(&shared).await,
        (Method::POST, ["invocation", id, "response"]) => {
            let value = serde_json::from_slice(&body).unwrap_or_else(|_| {
                // A runtime may answer with anything; what is not JSON is shown as text.
                Value::String(String::from_utf8_lossy(&body).into_owned())
            });
            finish(&shared, id, Ok(value))
        }
        (Method::POST, ["invocation", id, "error"]) => {
            let kind = head.headers.get("lambda-runtime-function-error-type");
            let kind = kind.and_then(|kind| kind.to_str().ok());
            finish(&shared, id, Err(error(&body, kind)))
        }
        (Method::POST, ["init", "error"]) => {
            let kind = head.headers.get("lambda-runtime-function-error-type");
            let kind = kind.and_then(|kind| kind.to_str().ok());
            shared.state().init_error = Some(error(&body, kind));
            status(202, json!({ "status": "OK" }))
        }
        (_, _) => status(404, json!({ "errorType": "NotFound", "errorMessage": "no such path" })),
    })
}

/// Blocks until there is an event, as the real one does.
async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    shared.state().asked += 1;
    shared.asks.notify_one();
    let waiting = loop {
        if let Some(waiting) = shared.state().waiting.pop_front() {
            break waiting;
        }
        shared.arrived.notified().await;
    };
    let deadline = waiting.deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Response::builder()
        .status(200)
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", &waiting.request_id)
        .header("lambda-runtime-deadline-ms", deadline.to_string())
        .header("lambda-runtime-invoked-function-arn", &shared.function)
        .header(
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        )
        .body(Full::new(Bytes::from(waiting.payload)))
        .expect("well-formed headers")
}

fn finish(shared: &Shared, request_id: &str, answer: Answer) -> Response<Full<Bytes>> {
    match shared.state().running.remove(request_id) {
        Some(waiting) => {
            // Nobody waits any more when the caller's own deadline has passed.
            let _ = waiting.send(answer);
            status(202, json!({ "status": "OK" }))
        }
        None => status(400, json!({ "errorType": "InvalidRequestID", "errorMessage": "unknown request id" })),
    }
}

/// The body {errorMessage, errorType, stackTrace}; the header's type where the body has none.
fn error(body: &[u8], header: Option<&str>) -> InvocationError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    InvocationError {
        error_type: text("errorType")
            .or_else(|| header.map(str::to_owned))
            .unwrap_or_else(|| "Unhandled".to_owned()),
        message: text("errorMessage").unwrap_or_default(),
    }
}

fn status(status: u16, body: Value) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("well-formed headers")
}
