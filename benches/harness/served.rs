//! An HTTP server on a free port of 127.0.0.1 that ends when it is dropped.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use crate::Trouble;

pub(crate) struct Served {
    /// `127.0.0.1:<port>`.
    pub(crate) address: String,
    connections: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Served {
    /// Listens, by TLS if it is given.
    pub(crate) async fn start<F, Fut>(tls: Option<TlsAcceptor>, answer: F) -> Result<Self, Trouble>
    where
        F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<Full<Bytes>>, Trouble>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let opened = Arc::clone(&connections);
        let server = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::Relaxed);
                // Without this every answer waits for an acknowledgement, a false 40 ms.
                let _ = stream.set_nodelay(true);
                let (tls, answer) = (tls.clone(), answer.clone());
                open.spawn(async move {
                    match tls {
                        None => serve(stream, answer).await,
                        // Who does not come to terms says so itself.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, answer).await;
                            }
                        }
                    }
                });
                while open.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, connections, server })
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve<F, Fut>(stream: impl AsyncRead + AsyncWrite + Unpin, answer: F)
where
    F: Fn(Request<Incoming>) -> Fut,
    Fut: Future<Output = Result<Response<Full<Bytes>>, Trouble>>,
{
    // Programs are killed in the middle of a poll: no trouble.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}
