//! Whom TLS trusts: Amazon's own certificate authorities at once, and whomever the system trusts when that is not enough.
//!
//! Every call on the way from an alarm to an undo goes to AWS, whose endpoints have certificates of Amazon Trust Services.
//! Its five roots are in the program, so that no file is read for those calls: reading and parsing the system's hundred
//! and forty is half of the time in which a function starts. A certificate of anybody else's (Slack's, Teams', that of an
//! endpoint under test, of AWS in China), or of a root that Amazon has made since, makes the system's store be read, once:
//! so nothing goes stale here, and nobody but Amazon is trusted whom the system does not trust.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

/// The roots of Amazon Trust Services: the five that its repository recommends to have together
/// (<https://www.amazontrust.com/repository/>, "Trust store and pinning recommendations"). They end in 2037 to 2040.
const AMAZON: [&[u8]; 5] = [
    include_bytes!("../roots/amazon-root-ca-1.der"),
    include_bytes!("../roots/amazon-root-ca-2.der"),
    include_bytes!("../roots/amazon-root-ca-3.der"),
    include_bytes!("../roots/amazon-root-ca-4.der"),
    include_bytes!("../roots/starfield-services-root-ca-g2.der"),
];

/// The configuration of TLS, for HTTP/1.1.
///
/// # Errors
/// When ring lacks what TLS 1.2 and 1.3 need, or a root cannot be read: a mistake in this program.
pub(super) fn tls() -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let trust = Trust::new(Arc::clone(&provider), amazon()?, system)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust))
        .with_no_client_auth())
}

fn amazon() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for root in AMAZON {
        roots.add(CertificateDer::from(root))?;
    }
    Ok(roots)
}

/// What the machine trusts: where OpenSSL looks, and `SSL_CERT_FILE` and `SSL_CERT_DIR` before that. What cannot be read
/// there is left out: who is then not trusted is refused.
fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Trusts those it was made with, and asks somebody else about everybody else.
#[derive(Debug)]
struct Trust {
    provider: Arc<CryptoProvider>,
    first: Arc<WebPkiServerVerifier>,
    others: fn() -> RootCertStore,
    /// Made when it is first needed; `None` if they have nobody.
    second: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl Trust {
    fn new(
        provider: Arc<CryptoProvider>,
        first: RootCertStore,
        others: fn() -> RootCertStore,
    ) -> Result<Self, Error> {
        let first = WebPkiServerVerifier::builder_with_provider(Arc::new(first), Arc::clone(&provider));
        let first = first.build().map_err(|error| Error::General(error.to_string()))?;
        Ok(Self { provider, first, others, second: OnceLock::new() })
    }

    fn second(&self) -> Option<&Arc<WebPkiServerVerifier>> {
        let make = || {
            let roots = Arc::new((self.others)());
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider)).build().ok()
        };
        self.second.get_or_init(make).as_ref()
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        by(&self.first).or_else(|refused| self.second().map_or(Err(refused), |second| by(second)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.first.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.first.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.first.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use rustls::{CertificateError, pki_types::TrustAnchor};
    use sha2::{Digest, Sha256};

    use super::*;

    /// The end of a chain to [`ROOT`], for chat.example.com, both good from 2026 for a hundred years.
    const CHAT: &[u8] = include_bytes!("fixtures/chat.example.com.der");
    const ROOT: &[u8] = include_bytes!("fixtures/root.der");

    fn verified(trust: &Trust, name: &'static str) -> Result<(), Error> {
        let name = ServerName::try_from(name).expect("a name");
        // 2027.
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        trust.verify_server_cert(&CertificateDer::from(CHAT), &[], &name, &[], now).map(|_| ())
    }

    fn root() -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ROOT)).expect("a root");
        roots
    }

    fn trust(first: RootCertStore, others: fn() -> RootCertStore) -> Trust {
        Trust::new(Arc::new(ring::default_provider()), first, others).expect("somebody to trust")
    }

    /// SHA-256 of each root's public key information, as the repository of Amazon Trust Services publishes it.
    #[test]
    fn the_roots_are_amazons() {
        let published = [
            "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
            "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
            "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
            "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
            "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92",
        ];
        let anchors = amazon().expect("readable roots").roots;
        let keys: Vec<String> =
            anchors.iter().map(|anchor| hex::encode(Sha256::digest(sequence(anchor)))).collect();
        assert_eq!(keys, published);
    }

    /// A DER sequence of an anchor's public key information: webpki keeps what is in it.
    fn sequence(anchor: &TrustAnchor<'_>) -> Vec<u8> {
        let inner = anchor.subject_public_key_info.as_ref();
        let length = u16::try_from(inner.len()).expect("a short key").to_be_bytes();
        let head = match inner.len() {
            0..128 => vec![0x30, length[1]],
            128..256 => vec![0x30, 0x81, length[1]],
            _ => vec![0x30, 0x82, length[0], length[1]],
        };
        [head, inner.to_vec()].concat()
    }

    #[test]
    fn the_system_is_asked_once_about_whoever_is_not_amazons() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let trust = trust(amazon().expect("readable roots"), || {
            ASKED.fetch_add(1, Ordering::Relaxed);
            root()
        });
        assert_eq!(ASKED.load(Ordering::Relaxed), 0);
        assert_eq!(verified(&trust, "chat.example.com"), Ok(()));
        assert_eq!(verified(&trust, "chat.example.com"), Ok(()));
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        // Trusting somebody is not trusting him for every name.
        assert!(verified(&trust, "sts.amazonaws.com").is_err());
    }

    #[test]
    fn nothing_is_read_for_whoever_is_trusted_at_once() {
        let trust = trust(root(), || unreachable!("not asked"));
        assert_eq!(verified(&trust, "chat.example.com"), Ok(()));
    }

    #[test]
    fn whom_nobody_trusts_is_refused() {
        for others in [RootCertStore::empty, || amazon().expect("readable roots")] {
            let refused = verified(&trust(amazon().expect("readable roots"), others), "chat.example.com");
            assert_eq!(refused, Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)));
        }
    }

    #[test]
    fn ring_has_what_tls_needs() {
        assert!(tls().is_ok());
    }
}
