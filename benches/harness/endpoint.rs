//! AWS for one process: every service at one address, or each at its own behind TLS.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming};

use crate::{
    Trouble,
    answers::{Protocol, recognise},
    scene::{Scene, Seen},
    served::Served,
    tls::Tls,
};

/// The services that are asked, by their ids as they are in the names of variables (AWS SDKs and Tools Reference Guide,
/// "Identifiers for service-specific endpoints").
const SERVICES: [&str; 4] = ["CLOUDWATCH", "CODEDEPLOY", "DYNAMODB", "SNS"];

/// The endpoint. What it answers is the scene's.
pub struct Endpoint {
    /// With the name of the variable that says where it is.
    served: Vec<(String, Served)>,
    scheme: &'static str,
    scene: Arc<Mutex<Arc<Scene>>>,
}

impl Endpoint {
    /// Begins to listen, at one address without TLS, and with it at one for each service: connections and sessions are
    /// one host's.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(scene: Arc<Scene>, tls: Option<&Tls>) -> Result<Self, Trouble> {
        let scene = Arc::new(Mutex::new(scene));
        let answers = {
            let scene = Arc::clone(&scene);
            move |request| {
                let arrived = Instant::now();
                let scene = scene.lock().unwrap_or_else(PoisonError::into_inner).clone();
                answer(scene, request, arrived)
            }
        };
        let names = match tls {
            None => vec!["AWS_ENDPOINT_URL".to_owned()],
            Some(_) => SERVICES.map(|service| format!("AWS_ENDPOINT_URL_{service}")).to_vec(),
        };
        let mut served = Vec::new();
        for name in names {
            served.push((name, Served::start(tls.map(Tls::acceptor), answers.clone()).await?));
        }
        Ok(Self { served, scheme: if tls.is_some() { "https" } else { "http" }, scene })
    }

    /// What says to a program where AWS is.
    pub fn environment(&self) -> impl Iterator<Item = (&str, String)> {
        self.served
            .iter()
            .map(|(name, served)| (name.as_str(), format!("{}://{}", self.scheme, served.address)))
    }

    /// `127.0.0.1:<port>`, of the first one.
    pub fn address(&self) -> &str {
        self.served.first().map_or("", |(_, served)| &served.address)
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.served.iter().map(|(_, served)| served.connections()).sum()
    }

    /// From now on this is what is answered.
    pub fn set_scene(&self, scene: Arc<Scene>) {
        *self.scene.lock().unwrap_or_else(PoisonError::into_inner) = scene;
    }
}

async fn answer(
    scene: Arc<Scene>,
    request: Request<Incoming>,
    arrived: Instant,
) -> Result<Response<Full<Bytes>>, Trouble> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let recognised = recognise(head.uri.path(), target, &body);
    let (call, protocol) = recognised.unwrap_or_else(|| (head.uri.to_string(), Protocol::Json11));
    let answer = scene.answer(&call, protocol, &body);
    if !scene.delay.is_zero() {
        tokio::time::sleep(scene.delay).await;
    }
    scene.note(Seen { call, arrived, answered: Instant::now() });
    // A refusal, which no client tries again: the measurement says what was asked.
    let (status, answer) = match answer {
        Some(answer) => (200, answer),
        None => (400, Bytes::from_static(b"{\"__type\":\"NotRecorded\",\"message\":\"not recorded\"}")),
    };
    let mut response = Response::builder()
        .status(status)
        .header("content-type", protocol.content_type())
        .header("x-amzn-requestid", "00000000-0000-4000-8000-000000000001");
    if protocol == Protocol::Cbor {
        response = response.header("smithy-protocol", "rpc-v2-cbor");
    }
    Ok(response.body(Full::new(answer))?)
}
