//! Between a program and the simulator: passes every call on, one after the other, and keeps what was said.

use std::{
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response,
    body::Incoming,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// One call and its answer, as they were on the wire.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) path: String,
    pub(crate) asked: (HeaderMap, Bytes),
    pub(crate) status: u16,
    pub(crate) answered: (HeaderMap, Bytes),
}

/// Listens until it is dropped.
pub(crate) struct Overheard {
    pub(crate) endpoint: String,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    server: JoinHandle<()>,
}

impl Drop for Overheard {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Overheard {
    /// Stands in front of whoever listens at `behind`, `http://<host>:<port>`.
    pub(crate) async fn before(behind: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let behind = behind.trim_start_matches("http://").to_owned();
        let server = tokio::spawn({
            let exchanges = Arc::clone(&exchanges);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (exchanges, behind) = (Arc::clone(&exchanges), behind.clone());
                    tokio::spawn(async move {
                        stream.set_nodelay(true).unwrap();
                        let pass = service_fn(|request| pass(request, &behind, &exchanges));
                        let http = hyper::server::conn::http1::Builder::new();
                        let _ = http.serve_connection(TokioIo::new(stream), pass).await;
                    });
                }
            }
        });
        Self { endpoint, exchanges, server }
    }

    /// What was said so far, in the order in which it was asked.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }
}

async fn pass(
    request: Request<Incoming>,
    behind: &str,
    exchanges: &Mutex<Vec<Exchange>>,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let stream = TcpStream::connect(behind).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut passed = Request::new(Full::new(body.clone()));
    *passed.method_mut() = head.method;
    *passed.uri_mut() = head.uri.clone();
    *passed.headers_mut() = head.headers.clone();
    let (answer, answered) = sender.send_request(passed).await.map_err(io::Error::other)?.into_parts();
    let answered = answered.collect().await.map_err(io::Error::other)?.to_bytes();
    exchanges.lock().unwrap().push(Exchange {
        path: head.uri.path().to_owned(),
        asked: (head.headers, body),
        status: answer.status.as_u16(),
        answered: (answer.headers.clone(), answered.clone()),
    });
    let mut response = Response::new(Full::new(answered));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        response.headers_mut().remove(name);
    }
    Ok(response)
}
