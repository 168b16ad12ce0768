//! As in Lambda, and as nowhere else here: the compiled program speaks TLS to AWS, and to nobody who is not AWS.
#![allow(clippy::disallowed_methods, reason = "a compiled program reads the real clock")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use belay_tests::{
    Binary, InvocationError, RuntimeApi,
    stage::{compiled, deployed, functions::TABLE},
};
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::Value;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ProtocolVersion, ServerConfig,
        crypto::ring,
        pki_types::PrivateKeyDer,
        version::{TLS12, TLS13},
    },
};

use crate::{
    a_release_is_guarded::{POLICY, Story, events, lambda},
    compiled_programs::{ALARM_TRANSITIONS, policy_file},
};

/// A made-up certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// In a file, as `SSL_CERT_FILE` wants it.
    fn file(&self) -> PathBuf {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("authority-{}-{number}.pem", std::process::id()));
        fs::write(&path, self.certificate.pem()).unwrap();
        path
    }

    /// A server's certificate.
    fn server(
        &self,
        host: &str,
        version: ProtocolVersion,
        change: impl Fn(&mut CertificateParams),
    ) -> ServerConfig {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[if version == ProtocolVersion::TLSv1_2 { &TLS12 } else { &TLS13 }])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap()
    }
}

/// The simulator behind TLS.
struct Front {
    endpoint: String,
    /// The protocol of each connection that came about.
    spoken: Arc<Mutex<Vec<ProtocolVersion>>>,
    /// Ends all connections.
    end: Arc<Notify>,
}

impl Front {
    /// The first connections, so many, are accepted, and nothing is ever said on them.
    async fn of(endpoint: &str, mut tls: ServerConfig, silent: usize) -> Self {
        // What AWS's endpoints offer beside HTTP/1.1 must not be taken.
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let behind = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (acceptor, spoken) = (TlsAcceptor::from(Arc::new(tls)), Arc::new(Mutex::default()));
        let heard: Arc<Mutex<Vec<ProtocolVersion>>> = Arc::clone(&spoken);
        let end = Arc::new(Notify::new());
        let ended = Arc::clone(&end);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((client, _)) = listener.accept().await {
                if kept.len() < silent {
                    kept.push(client);
                    continue;
                }
                let (acceptor, heard, behind) = (acceptor.clone(), Arc::clone(&heard), behind.clone());
                let ended = Arc::clone(&ended);
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut simulator = TcpStream::connect(behind).await.unwrap();
                    simulator.set_nodelay(true).unwrap();
                    let end = ended.notified();
                    heard.lock().unwrap().extend(client.get_ref().1.protocol_version());
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut simulator) => {}
                        () = end => {}
                    }
                });
            }
        });
        Self { endpoint, spoken, end }
    }

    fn connections(&self) -> usize {
        self.spoken.lock().unwrap().len()
    }
}

/// A bad release, its alarm, and the compiled program, which has not heard of it yet.
struct Night {
    story: Story,
    front: Front,
    runtime: RuntimeApi,
    alarm: Vec<u8>,
    _binary: Binary,
}

impl Night {
    async fn of(tls: ServerConfig, trusted: &Path, silent: usize) -> Self {
        let story = Story::without_functions(lambda(), Timestamp::now() - SignedDuration::from_mins(3)).await;
        let simulator = &story.simulator;
        simulator.create_ledger_table(TABLE);
        simulator.create_topic("belay");
        deployed::enforce(simulator);
        story.release();
        simulator.step(Duration::from_secs(150));
        simulator.take_deliveries();
        story.red("orders-5xx");
        simulator.step(Duration::from_secs(5));
        let alarm = events(&story, "alarm-transitions").remove(0).payload;

        let front = Front::of(&simulator.endpoint(), tls, silent).await;
        let (runtime, policy) =
            (RuntimeApi::start().await, policy_file(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")));
        let mut environment =
            compiled::environment(ALARM_TRANSITIONS.function, (&runtime, simulator), &policy, false);
        environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
        environment.push(("AWS_ENDPOINT_URL", front.endpoint.clone()));
        environment.push(("SSL_CERT_FILE", trusted.display().to_string()));
        let binary = Binary::spawn(ALARM_TRANSITIONS.path(), &compiled::pairs(&environment)).unwrap();
        Self { story, front, runtime, alarm, _binary: binary }
    }

    /// What the program makes of the alarm.
    async fn judged(&self) -> Result<Value, InvocationError> {
        self.runtime.invoke(self.alarm.clone(), Duration::from_secs(30)).await
    }

    /// Waits until the program has so many connections.
    async fn connected(&self, count: usize) {
        let connecting = async {
            while self.front.connections() < count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), connecting).await.expect("connections without an event");
    }

    fn is_taken_back(&self, answer: &Value) {
        assert_eq!(answer["outcomes"][0]["verdict"], "RollBack", "{answer}");
        assert_eq!((self.story.stops().len(), self.story.simulator.messages().len()), (1, 1));
    }
}

fn over_tls(version: ProtocolVersion) -> (ServerConfig, PathBuf) {
    let authority = Authority::named("trusted");
    (authority.server("localhost", version, |_| {}), authority.file())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_taken_back_over_tls() {
    for version in [ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2] {
        let (tls, trusted) = over_tls(version);
        let night = Night::of(tls, &trusted, 0).await;
        night.is_taken_back(&night.judged().await.unwrap());
        let spoken = night.front.spoken.lock().unwrap();
        assert!(!spoken.is_empty() && spoken.iter().all(|spoken| *spoken == version), "{spoken:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_is_taken_for_aws() {
    let (authority, stranger) = (Authority::named("trusted"), Authority::named("a stranger"));
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2026, 1, 1);
    let version = ProtocolVersion::TLSv1_3;
    for (what, tls, why) in [
        ("an authority that nobody trusts", stranger.server("localhost", version, |_| {}), "UnknownIssuer"),
        ("another one's certificate", authority.server("example.com", version, |_| {}), "not valid for name"),
        ("one that is over", authority.server("localhost", version, expired), "expired"),
    ] {
        let night = Night::of(tls, &authority.file(), 0).await;
        let failed = night.judged().await.expect_err(what);
        assert!(failed.message.contains(why), "{what}: {failed:?}");
        assert_eq!(night.front.connections(), 0, "{what}");
        assert_eq!((night.story.stops().len(), night.story.simulator.messages().len()), (0, 0), "{what}");
    }
}

/// So many connections are begun at the start: the calls of a look at a release that are under way at once, by service.
const AHEAD: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_there_before_the_alarm() {
    let (tls, trusted) = over_tls(ProtocolVersion::TLSv1_3);
    let night = Night::of(tls, &trusted, 0).await;
    night.connected(AHEAD).await;
    night.is_taken_back(&night.judged().await.unwrap());
    // They were used: none of them idle, the calls would have taken as many again.
    let connections = night.front.connections();
    assert!(connections < AHEAD + 3, "{connections}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_have_gone_before_the_alarm_cost_no_attempt() {
    let (tls, trusted) = over_tls(ProtocolVersion::TLSv1_3);
    let night = Night::of(tls, &trusted, 0).await;
    night.connected(AHEAD).await;
    night.front.end.notify_waiters();
    // Until their ends have arrived.
    sleep(Duration::from_millis(100)).await;
    night.is_taken_back(&night.judged().await.unwrap());
    assert!(night.front.connections() > AHEAD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_never_come_about_do_not_stop_an_undo() {
    let (tls, trusted) = over_tls(ProtocolVersion::TLSv1_3);
    // The first of each service: all others wait behind them.
    let night = Night::of(tls, &trusted, 3).await;
    night.is_taken_back(&night.judged().await.unwrap());
}
