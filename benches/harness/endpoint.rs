//! Every AWS service at one address, for one process.

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
};

/// The endpoint. What it answers is the scene's.
pub struct Endpoint {
    served: Served,
    scene: Arc<Mutex<Arc<Scene>>>,
}

impl Endpoint {
    /// Begins to listen.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(scene: Arc<Scene>) -> Result<Self, Trouble> {
        let scene = Arc::new(Mutex::new(scene));
        let served = Served::start({
            let scene = Arc::clone(&scene);
            move |request| {
                let arrived = Instant::now();
                let scene = scene.lock().unwrap_or_else(PoisonError::into_inner).clone();
                answer(scene, request, arrived)
            }
        });
        Ok(Self { served: served.await?, scene })
    }

    /// For AWS_ENDPOINT_URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.served.address)
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> &str {
        &self.served.address
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.served.connections()
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
