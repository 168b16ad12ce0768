//! HTTP for everything that Belay calls: hyper's pooling client over rustls on ring, behind the SDK's own interface, so
//! that there is one HTTP and one TLS stack in a function.
//!
//! The SDK's own client (aws-smithy-http-client) does the same with HTTP/2, proxies and the system's certificates read at
//! its start: together a tenth of a function's program and half of its start. AWS's APIs that are called here speak
//! HTTP/1.1, which a server takes when nothing else is offered to it, and what is trusted is in [`trust`].

mod ahead;
mod trust;

use std::{
    error::Error,
    io,
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
use jiff::{SignedDuration, Timestamp};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use self::ahead::Ahead;

/// The HTTPS client of all AWS clients: they share its connections and its TLS sessions. Clones are the same one.
///
/// How long connecting may take each client says; how long a call may take otherwise the SDK sees to.
#[derive(Clone, Debug, Default)]
pub struct Http(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// By how long connecting may take: nearly always [`super::timeouts`]' limit.
    pools: Mutex<Vec<(Option<Duration>, SharedHttpConnector)>>,
    tls: Tls,
    ahead: Arc<Ahead>,
    /// The hosts to which connections are begun ahead, and how many.
    hosts: Mutex<Vec<(Uri, usize)>>,
    /// When an invocation last began or ended.
    used: Mutex<Option<Timestamp>>,
}

/// Connections that nobody used for so long are not used any more, by the clock on the wall: a function's own clock may
/// stand still while Lambda has it frozen, so that the pool takes an hour for nothing. Who was at the other end may have
/// gone without a word, and each such connection would cost a call one of its few attempts.
const RESTED: SignedDuration = SignedDuration::from_secs(60);

impl Http {
    /// As the SDK's configuration wants it.
    pub fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Begins so many connections to a URL's host, now and whenever [`Self::begins`] left the others behind: whoever asks
    /// that host first need not wait for them. None of them is used for a call before it is known to be open.
    ///
    /// Only inside tokio's runtime.
    pub fn connect_ahead(&self, url: &str, count: usize) {
        // What is no URL the first call will say.
        let Ok(url) = url.parse::<Uri>() else { return };
        self.connect(&url, count);
        locked(&self.0.hosts).push((url, count));
    }

    /// An invocation begins. If none ran for a minute, the connections of the last one are left behind.
    ///
    /// Only inside tokio's runtime.
    pub fn begins(&self, now: Timestamp) {
        let last = locked(&self.0.used).replace(now);
        if last.is_some_and(|last| now.duration_since(last).abs() > RESTED) {
            locked(&self.0.pools).clear();
            self.0.ahead.forget();
            for (url, count) in &*locked(&self.0.hosts) {
                self.connect(url, *count);
            }
        }
    }

    /// An invocation has ended, or what comes before the first one.
    pub fn ends(&self, now: Timestamp) {
        *locked(&self.0.used) = Some(now);
    }

    /// The SDK asks for it at every attempt.
    fn pool(&self, connecting: Option<Duration>) -> SharedHttpConnector {
        let mut pools = locked(&self.0.pools);
        if let Some((_, pool)) = pools.iter().find(|(limit, _)| *limit == connecting) {
            return pool.clone();
        }
        let connect = Connect::within(connecting, Arc::clone(&self.0.tls), Arc::clone(&self.0.ahead));
        let pool = SharedHttpConnector::new(Pool::of(KEPT, connect));
        pools.push((connecting, pool.clone()));
        pool
    }

    fn connect(&self, url: &Uri, count: usize) {
        let limit = super::timeouts().connect_timeout();
        let connect = Connect::within(limit, Arc::clone(&self.0.tls), Arc::default());
        self.0.ahead.begin(&connect, url, count);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.pool(settings.connect_timeout())
    }
}

/// So many idle connections are kept for each host: as many as one invocation's reads side by side.
const KEPT: usize = 32;

/// Connections to whatever hosts are asked.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    client: Client<Connect, SdkBody>,
    ahead: Arc<Ahead>,
}

impl Pool {
    /// None is open yet, and connecting has no limit of its own here. So many idle ones are kept for each host.
    pub(crate) fn keeping(kept: usize, tls: &Tls) -> Self {
        Self::of(kept, Connect::within(None, Arc::clone(tls), Arc::default()))
    }

    fn of(kept: usize, connect: Connect) -> Self {
        let ahead = Arc::clone(&connect.ahead);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(kept)
            .build(connect);
        Self { client, ahead }
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
        let unanswered = Unanswered(Some(Arc::clone(&self.ahead)));
        HttpConnectorFuture::new(async move {
            let response = answer.await.map_err(|error| classified(error.into()))?;
            unanswered.answered();
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// A request that has no answer. When it has failed, or nobody waits for it any more, what was begun at the same time as its
/// connection may be as dead: the next attempt is not to find out.
struct Unanswered(Option<Arc<Ahead>>);

impl Unanswered {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(ahead) = self.0.take() {
            ahead.forget();
        }
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
    if let Some(broken) = super::caused_by::<io::Error>(error.as_ref()) {
        return match broken.kind() {
            io::ErrorKind::TimedOut => ConnectorError::timeout(error),
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

/// What TLS is done by, and which sessions it can take up again. Made when the first host wants it: a rehearsal's want none.
pub(crate) type Tls = Arc<OnceLock<Result<Arc<ClientConfig>, rustls::Error>>>;

/// Connects by TCP, and by TLS where the URL says `https`.
#[derive(Clone)]
struct Connect {
    plain: Plain,
    tls: Tls,
    ahead: Arc<Ahead>,
    /// For the name, the connection and TLS together.
    limit: Option<Duration>,
}

/// After which a connection that nobody answers on is given up by the kernel: what a call that was cut off has left to
/// be sent does not arrive minutes later, when somebody else has taken over what it was for.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// After which an idle connection shows that it is still there. A function that is asked synchronously may take minutes,
/// and a NAT gateway forgets connections that are silent for 350 s (Amazon VPC User Guide, "NAT gateway basics").
const SILENT: Duration = Duration::from_secs(60);

impl Connect {
    fn within(limit: Option<Duration>, tls: Tls, ahead: Arc<Ahead>) -> Self {
        let mut plain = Plain::new();
        plain.enforce_http(false);
        // Head and body are two writes: the second one would wait for the first one's acknowledgement.
        plain.set_nodelay(true);
        // A check's patience is its own.
        plain.set_tcp_user_timeout(limit.map(|_| UNACKNOWLEDGED));
        plain.set_keepalive(Some(SILENT));
        Self { plain, tls, ahead, limit }
    }

    /// A new connection, whatever was begun.
    fn anew(&mut self, url: Uri) -> Connecting {
        let connecting: Connecting = if url.scheme_str() == Some("https") {
            match self.tls.get_or_init(|| trust::tls().map(Arc::new)) {
                Ok(tls) => Box::pin(HttpsConnector::from((self.plain.clone(), Arc::clone(tls))).call(url)),
                Err(error) => Box::pin(std::future::ready(Err(error.clone().into()))),
            }
        } else {
            Box::pin(self.plain.call(url).map(|stream| Ok(MaybeHttpsStream::Http(stream?))))
        };
        let Some(limit) = self.limit else { return connecting };
        Box::pin(tokio::time::timeout(limit, connecting).map(move |connected| {
            connected.unwrap_or_else(|_| {
                let why = format!("there was no connection within {} s", limit.as_secs_f64());
                Err(io::Error::new(io::ErrorKind::TimedOut, why).into())
            })
        }))
    }
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
        let Some(begun) = self.ahead.take(&url) else { return self.anew(url) };
        let mut connect = self.clone();
        Box::pin(async move {
            match begun.open().await {
                Some(connection) => Ok(connection),
                None => connect.anew(url).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers everything, and counts the connections that it got.
    async fn server() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while let Ok(1..) = stream.read(&mut request).await {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        stream.write_all(answer).await.expect("somebody who listens");
                    }
                });
            }
        });
        (url, count)
    }

    async fn called(http: &Http, url: &str) {
        let request =
            HttpRequest::try_from(http::Request::get(url).body(SdkBody::empty()).expect("a request"));
        let answer = http.pool(None).call(request.expect("a request")).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        // Until the connection is back in the pool.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn connections_are_kept_from_one_invocation_to_the_next_and_not_for_a_minute() {
        let ((url, connections), http) = (server().await, Http::default());
        let start: Timestamp = "2026-03-05T12:00:00Z".parse().expect("a time");
        let after = |seconds| start + SignedDuration::from_secs(seconds);
        http.begins(after(0));
        called(&http, &url).await;
        // A long one: what counts is how long nobody used them.
        http.ends(after(100));
        http.begins(after(160));
        called(&http, &url).await;
        assert_eq!(connections.load(Ordering::Relaxed), 1);
        http.ends(after(161));
        http.begins(after(222));
        called(&http, &url).await;
        assert_eq!(connections.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_waits_in_vain_leaves_behind_what_was_begun_at_the_same_time() {
        let ((url, connections), http) = (server().await, Http::default());
        http.connect_ahead(&url, 3);
        while connections.load(Ordering::Relaxed) < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let nobody = format!("http://{}/", silent.local_addr().expect("an address"));
        let ask =
            HttpRequest::try_from(http::Request::get(&nobody).body(SdkBody::empty()).expect("a request"));
        let asked = http.pool(None).call(ask.expect("a request"));
        tokio::time::timeout(Duration::from_millis(20), asked).await.expect_err("nobody answers");
        called(&http, &url).await;
        assert_eq!(connections.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn what_was_begun_is_used_and_begun_again_after_a_minute() {
        let ((url, connections), http) = (server().await, Http::default());
        let start: Timestamp = "2026-03-05T12:00:00Z".parse().expect("a time");
        http.connect_ahead(&url, 1);
        http.ends(start);
        called(&http, &url).await;
        assert_eq!(connections.load(Ordering::Relaxed), 1);
        http.begins(start + SignedDuration::from_secs(61));
        let begun = async {
            while connections.load(Ordering::Relaxed) < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), begun).await.expect("it is begun again");
        called(&http, &url).await;
        assert_eq!(connections.load(Ordering::Relaxed), 2);
    }
}
