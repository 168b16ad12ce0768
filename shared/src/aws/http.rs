//! HTTP for everything that Belay calls: hyper's pooling client over rustls on ring, behind the SDK's own interface, so
//! that there is one HTTP and one TLS stack in a function.
//!
//! The SDK's own client (aws-smithy-http-client) does the same with HTTP/2, proxies and the system's certificates read at
//! its start: together a tenth of a function's program and half of its start. AWS's APIs that are called here speak
//! HTTP/1.1, which a server takes when nothing else is offered to it, and what is trusted is in [`trust`].

mod trust;

use std::{
    error::Error,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        connection::{CaptureSmithyConnection, ConnectionMetadata},
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, retry::ErrorKind};
use futures_util::FutureExt;
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{CaptureConnection, HttpConnector as Plain, HttpInfo, capture_connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

/// The HTTPS client of all AWS clients: they share its connections and its TLS sessions.
///
/// How long connecting may take each client says; how long a call may take otherwise the SDK sees to.
pub fn http_client() -> SharedHttpClient {
    SharedHttpClient::new(Shared::default())
}

/// Connections by how long connecting may take: nearly always [`super::timeouts`]' second.
#[derive(Debug, Default)]
struct Shared {
    pools: Mutex<Vec<(Option<Duration>, SharedHttpConnector)>>,
    tls: Tls,
}

impl HttpClient for Shared {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let wanted = settings.connect_timeout();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(timeout, _)| *timeout == wanted) {
            return pool.clone();
        }
        let pool = SharedHttpConnector::new(Pool::of(wanted, KEPT, Arc::clone(&self.tls)));
        pools.push((wanted, pool.clone()));
        pool
    }
}

/// So many idle connections are kept for each host: as many as one invocation's reads side by side.
const KEPT: usize = 32;

/// Connections to whatever hosts are asked.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    client: Client<Connect, SdkBody>,
}

impl Pool {
    /// None is open yet, and connecting has no limit of its own here. So many idle ones are kept for each host.
    pub(crate) fn keeping(kept: usize) -> Self {
        Self::of(None, kept, Arc::default())
    }

    fn of(connect_timeout: Option<Duration>, kept: usize, tls: Tls) -> Self {
        let mut plain = Plain::new();
        plain.enforce_http(false);
        plain.set_connect_timeout(connect_timeout);
        // Head and body are two writes: the second one would wait for the first one's acknowledgement.
        plain.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(kept)
            .build(Connect { plain, tls });
        Self { client }
    }
}

impl HttpConnector for Pool {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        // After a failure that another connection may not have, the SDK has this one closed.
        let connection = capture_connection(&mut request);
        if let Some(asked) = request.extensions().get::<CaptureSmithyConnection>() {
            asked.set_connection_retriever(move || metadata(&connection));
        }
        let answer = self.client.request(request);
        HttpConnectorFuture::new(async move {
            match answer.await {
                Ok(response) => HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                    .map_err(|error| ConnectorError::other(error.into(), None)),
                Err(error) => Err(classified(error.into())),
            }
        })
    }
}

fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    let mut extensions = http::Extensions::new();
    connection.connection_metadata().as_ref()?.get_extras(&mut extensions);
    let ends = extensions.get::<HttpInfo>();
    let connection = connection.clone();
    let mut metadata = ConnectionMetadata::builder().poison_fn(move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    });
    metadata.set_local_addr(ends.map(HttpInfo::local_addr)).set_remote_addr(ends.map(HttpInfo::remote_addr));
    Some(metadata.build())
}

/// What the SDK's retries need to know of a failure: they repeat what timed out and what broke off.
fn classified(error: BoxError) -> ConnectorError {
    if let Some(broken) = super::caused_by::<std::io::Error>(error.as_ref()) {
        return match broken.kind() {
            std::io::ErrorKind::TimedOut => ConnectorError::timeout(error),
            _ => ConnectorError::io(error),
        };
    }
    let hyper = super::caused_by::<hyper::Error>(error.as_ref());
    if hyper.is_some_and(hyper::Error::is_timeout) {
        ConnectorError::timeout(error)
    } else if hyper.is_some_and(hyper::Error::is_user) {
        ConnectorError::user(error)
    } else if hyper.is_some_and(|error| error.is_closed() || error.is_canceled()) {
        ConnectorError::io(error)
    } else if hyper.is_some_and(hyper::Error::is_incomplete_message) {
        ConnectorError::other(error, Some(ErrorKind::TransientError))
    } else if super::caused_by::<hyper_util::client::legacy::Error>(error.as_ref())
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
    {
        ConnectorError::io(error)
    } else {
        ConnectorError::other(error, None)
    }
}

/// What TLS is done by, made when the first host wants it: a rehearsal's want none.
type Tls = Arc<OnceLock<Result<Arc<ClientConfig>, rustls::Error>>>;

/// Connects by TCP, and by TLS where the URL says `https`.
#[derive(Clone)]
struct Connect {
    plain: Plain,
    tls: Tls,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}

type Connected = MaybeHttpsStream<TokioIo<TcpStream>>;
type Connecting = Pin<Box<dyn Future<Output = Result<Connected, Box<dyn Error + Send + Sync>>> + Send>>;

impl Service<Uri> for Connect {
    type Response = Connected;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.plain.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        if url.scheme_str() == Some("https") {
            return match self.tls.get_or_init(|| trust::tls().map(Arc::new)) {
                Ok(tls) => Box::pin(HttpsConnector::from((self.plain.clone(), Arc::clone(tls))).call(url)),
                Err(error) => Box::pin(std::future::ready(Err(error.clone().into()))),
            };
        }
        Box::pin(self.plain.call(url).map(|stream| Ok(MaybeHttpsStream::Http(stream?))))
    }
}
