//! The HTTP front: lets faults strike, performs or refuses, keeps the journal. `asked` recognises the service.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::accounts::HOME;
use crate::asked::{Asked, recognise, signer, split_off_invocation};
use crate::chat;
use crate::dynamodb::{DynamoFailure, Units};
use crate::faults::{self, Fault};
use crate::health::Health;
use crate::journal::{Call, Service};
use crate::lambda::{self, Invoked};
use crate::refusal::Refusal;
use crate::storm::{Attempt, Fate, Killed};
use crate::timeline::What;
use crate::wire::{self, Reply, Wire};
use crate::world::World;

/// The state behind the front.
pub(crate) type Shared = Arc<Mutex<World>>;

/// Locks the state. A panic elsewhere has failed its test already; the state stays readable.
pub(crate) fn locked(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts connections until it is dropped, and drops them all with it.
pub(crate) async fn serve(listener: TcpListener, world: Shared) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&world)));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, world: Shared) {
    // Without this every answer waits for an acknowledgement, a false 40 ms.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&world), request));
    // An error here is a connection that a fault cut, or that the client closed.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(world: Shared, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    if let Some(name) = head.uri.path().strip_prefix("/health/") {
        return health(&world, name).await;
    }
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (invocation, path) = split_off_invocation(head.uri.path());
    if let Some(call) = chat::recognise(path, head.uri.query(), &head.headers, invocation, &body) {
        return chat::answer(&world, call).await.map(response);
    }
    let mut asked = recognise(&head.method, path, &head.headers, &body);
    asked.invocation = invocation;
    asked.by = signer(&head.headers);
    let token = head.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
    asked.token = token.map(str::to_owned);
    let decoded = wire::decode(asked.wire, &body);
    let readable = decoded.is_ok();
    let mut input = decoded.unwrap_or(Value::Null);
    if let Some(function) = &asked.function {
        input = json!({ "FunctionName": function, "Payload": input });
        if asked.is_event {
            input["InvocationType"] = json!("Event");
        }
    }
    let mut identified = Ok(None);
    let lives = {
        let mut world = locked(&world);
        let lives = invocation.is_none_or(|invocation| !world.weather.is_dead(invocation));
        if lives {
            identified = world.session(&asked);
            asked.fate = fate(&mut world, &asked, &input, &head.headers);
        }
        lives
    };
    if !lives {
        // The dead make no calls.
        return std::future::pending().await;
    }
    let imposter = match identified {
        Ok(session) => {
            asked.session = session;
            None
        }
        Err(refusal) => Some(refusal),
    };
    let fault = asked.fate.fault;
    let refusal = match fault {
        _ if asked.fate.killed == Some(Killed::Before) => Some(Refusal::new("Killed", "")),
        // Lambda itself reads the payload, and takes JSON only.
        None | Some(Fault::TimeoutAfterEffect) if asked.function.is_some() && !readable => {
            Some(Refusal::new("InvalidRequestContentException", "Could not parse request body into json"))
        }
        None | Some(Fault::TimeoutAfterEffect) => imposter,
        Some(Fault::Hang(duration)) => {
            tokio::time::sleep(duration).await;
            None
        }
        Some(Fault::Throttle) => Some(faults::throttled(asked.service)),
        Some(Fault::InternalError) => Some(faults::internal_error(asked.service)),
        Some(Fault::CutConnection) => Some(Refusal::new("CutConnection", "")),
    };
    let Some(reply) = settle(&world, &mut asked, refusal, input, &body) else {
        // Killed at this very call.
        return std::future::pending().await;
    };
    match fault {
        Some(Fault::CutConnection | Fault::TimeoutAfterEffect) => {
            Err(io::Error::other("a fault cut the connection"))
        }
        Some(Fault::Throttle | Fault::InternalError | Fault::Hang(_)) | None => Ok(response(reply)),
    }
}

fn refused(asked: &Asked, refusal: &Refusal, request_id: &str) -> Reply {
    match asked.service {
        Service::Lambda => lambda::refused(refusal, request_id),
        Service::CodeDeploy
        | Service::CodePipeline
        | Service::CloudWatch
        | Service::CloudFormation
        | Service::Sns
        | Service::Sts
        | Service::DynamoDb
        | Service::SecretsManager
        | Service::CodeBuild
        | Service::Logs
        | Service::Ecs
        | Service::LoadBalancing
        | Service::Slack
        | Service::Teams
        | Service::Unknown => wire::refused(asked.wire, refusal, request_id),
    }
}

/// Performs or refuses the call. There is no reply when the invocation dies of it, or when what it asked for hangs.
fn settle(
    world: &Mutex<World>,
    asked: &mut Asked,
    refusal: Option<Refusal>,
    input: Value,
    body: &[u8],
) -> Option<Reply> {
    let mut world = locked(world);
    let request_id = request_id(&world);
    let scripted = world.go_to(asked.account());
    // As it is written inside the account that is asked.
    let within = world.inward(&input);
    asked.needs = world.needs_of(asked, &within);
    let asked = &*asked;
    let refusal = refusal.or_else(|| world.forbid(asked, &asked.needs));
    let reply = match refusal {
        Some(refusal) => {
            world.record(asked, input, Err(refusal.code.clone()));
            Some(refused(asked, &refusal, &request_id))
        }
        None => match &asked.function {
            Some(function) if asked.is_event => {
                Some(world.invoke_event(asked, function, input, body, &request_id))
            }
            Some(function) => world.invoke(asked, function, input, &request_id),
            None => Some(world.perform(asked, input, body, &request_id)),
        },
    };
    world.go_to(&scripted);
    match (asked.fate.killed, asked.invocation) {
        (Some(_), Some(invocation)) => {
            world.weather.kill(invocation);
            None
        }
        (None, _) | (_, None) => reply,
    }
}

/// What befalls this attempt: what a test asked for, else what the storm draws.
fn fate(world: &mut World, asked: &Asked, input: &Value, headers: &HeaderMap) -> Fate {
    if let Some(fault) = world.faults.strike(&asked.operation) {
        return Fate { fault: Some(fault), killed: None };
    }
    let Some(invocation) = asked.invocation else { return Fate::default() };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number = header("amz-sdk-request").split(';').next().unwrap_or_default();
    let call = header("amz-sdk-invocation-id");
    world.weather.fate(&Attempt { invocation, operation: &asked.operation, input, call, number })
}

impl World {
    fn perform(&mut self, asked: &Asked, input: Value, body: &[u8], request_id: &str) -> Reply {
        if input.is_null() {
            let refusal = Refusal::new("SerializationException", "The request cannot be read.");
            self.record(asked, input, Err(refusal.code.clone()));
            return wire::refused(asked.wire, &refusal, request_id);
        }
        let operation = asked.operation.as_str();
        let local = self.inward(&input);
        let answer = match asked.service {
            Service::CodeDeploy => self.code_deploy(operation, &local),
            Service::CodePipeline => self.code_pipeline(operation, &local),
            Service::CloudWatch => self.cloud_watch(operation, &local),
            Service::CloudFormation => self.cloud_formation(operation, &local),
            Service::CodeBuild => self.code_build(operation, &local),
            Service::Logs => self.cloud_watch_logs(operation, &local),
            Service::Ecs => self.ecs(operation, &local),
            Service::LoadBalancing => self.elastic_load_balancing(operation, &local),
            // What is Belay's own is at home.
            Service::Sns | Service::Sts | Service::SecretsManager | Service::DynamoDb
                if asked.account() != HOME =>
            {
                return self.not_modelled(asked, input, "with a role of another account", request_id);
            }
            Service::Sts => self.sts(operation, &input, asked.by.as_deref()),
            Service::Sns => self.sns(operation, &input),
            Service::SecretsManager => self.secrets_manager(operation, &input),
            Service::DynamoDb => return self.perform_on_tables(asked, input, body, request_id),
            // Answered before this: an invocation may hang, and chat products have a front of their own.
            Service::Lambda | Service::Slack | Service::Teams | Service::Unknown => None,
        };
        match answer {
            // A parameter that is not modelled counts like an operation that is not.
            Some(Err(refusal)) if refusal.status == 501 => {
                self.not_modelled(asked, input, &refusal.message, request_id)
            }
            Some(answer) => {
                let answer = answer
                    .map(|answer| self.outward_value(answer))
                    .map_err(|refusal| self.outward_refusal(refusal));
                let outcome = answer.as_ref().map(|_| ());
                self.record(asked, input, outcome.map_err(|refusal| refusal.code.clone()));
                match answer {
                    Ok(answer) => wire::accepted(asked.wire, operation, &answer, request_id),
                    Err(refusal) => wire::refused(asked.wire, &refusal, request_id),
                }
            }
            None => self.not_modelled(asked, input, "", request_id),
        }
    }

    /// Invokes a function; `None` when it does not come back.
    fn invoke(&mut self, asked: &Asked, function: &str, input: Value, request_id: &str) -> Option<Reply> {
        let invoked = self.invoked(function);
        let outcome = invoked.as_ref().map(|_| ()).map_err(|refusal| refusal.code.clone());
        self.record(asked, input, outcome);
        match invoked {
            Ok(Invoked::Answer(payload)) => Some(lambda::came_back(&payload, false, request_id)),
            Ok(Invoked::Error(payload)) => Some(lambda::came_back(&payload, true, request_id)),
            Ok(Invoked::Hang) => None,
            Err(refusal) => Some(lambda::refused(&self.outward_refusal(refusal), request_id)),
        }
    }

    /// Takes an event for a function that nobody waits for.
    fn invoke_event(
        &mut self,
        asked: &Asked,
        function: &str,
        input: Value,
        payload: &[u8],
        request_id: &str,
    ) -> Reply {
        let taken = self.take_event(function, payload);
        self.record(asked, input, taken.clone().map_err(|refusal| refusal.code));
        match taken {
            Ok(()) => lambda::taken(request_id),
            Err(refusal) => lambda::refused(&refusal, request_id),
        }
    }

    fn perform_on_tables(&mut self, asked: &Asked, input: Value, body: &[u8], request_id: &str) -> Reply {
        let text = String::from_utf8_lossy(body);
        let (answer, units) = self.dynamo_db.metered(&asked.operation, &text);
        match answer {
            Ok(answer) => {
                self.record_metered(asked, input, Ok(()), units);
                wire::accepted(asked.wire, &asked.operation, &answer, request_id)
            }
            Err(DynamoFailure::NotModelled) => self.not_modelled(asked, input, "", request_id),
            Err(DynamoFailure::Refused(error)) => {
                let (code, reply) = DynamoFailure::code_and_reply(&error, request_id);
                self.record_metered(asked, input, Err(code), units);
                reply
            }
        }
    }

    fn record(&mut self, asked: &Asked, input: Value, outcome: Result<(), String>) {
        self.record_metered(asked, input, outcome, Units::default());
    }

    fn record_metered(&mut self, asked: &Asked, input: Value, outcome: Result<(), String>, units: Units) {
        self.note(Call {
            units,
            at: self.now,
            service: asked.service,
            operation: asked.operation.clone(),
            input,
            changed: asked.changes() && outcome.is_ok(),
            outcome,
            by: asked.principal().cloned(),
            through: asked.session.as_ref().map(|session| session.through.clone()),
            needs: asked.needs.clone(),
            invocation: asked.invocation,
            fault: asked.fate.fault,
            killed: asked.fate.killed,
        });
    }

    /// Puts a call into the journal and on the timeline.
    pub(crate) fn note(&mut self, call: Call) {
        self.journal.push(call.clone());
        self.happened(What::ApiCall(call));
    }

    fn not_modelled(&mut self, asked: &Asked, input: Value, why: &str, request_id: &str) -> Reply {
        let name = format!("{:?} {} {why}", asked.service, asked.operation);
        let name = name.trim_end().to_owned();
        self.record(asked, input, Err("NotModelled".to_owned()));
        let shape = json!({
            "__type": "NotModelled",
            "message": format!("The simulator does not model: {name}"),
        });
        self.unmodelled.push(name);
        let mut reply = wire::accepted(Wire::Json11, "", &shape, request_id);
        reply.status = 501;
        reply
    }
}

async fn health(world: &Shared, name: &str) -> io::Result<Response<Full<Bytes>>> {
    let health = locked(world).health.get_mut(name).map(crate::health::Endpoint::ask);
    let status = match health {
        None => 404,
        Some(Health::Status(status)) => status,
        Some(Health::Slow(duration)) => {
            tokio::time::sleep(duration).await;
            200
        }
        Some(Health::Hang) => std::future::pending().await,
        Some(Health::Refuse) => return Err(io::Error::other("the endpoint refuses")),
        Some(Health::Sequence(_)) => unreachable!("a sequence answers with its next status"),
    };
    Ok(response(Reply { status, headers: Vec::new(), body: Vec::new() }))
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(reply.body))).expect("the simulator's own headers are well-formed")
}

/// Unique and the same in every run: the number of the call.
fn request_id(world: &World) -> String {
    format!("00000000-0000-4000-8000-{:012}", world.journal.len() + 1)
}
