//! TLS as a function meets it at AWS: a chain of a root, an authority and a server, TLS 1.3, sessions that can be resumed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer, version::TLS13},
};

use crate::Trouble;

/// A made-up certificate authority, and a server of 127.0.0.1 with its certificate. Its keys are of P-256, most of AWS's
/// are RSA: that costs a server more, and who asks it less.
pub struct Tls {
    acceptor: TlsAcceptor,
    root: PathBuf,
}

impl Drop for Tls {
    fn drop(&mut self) {
        // In the folder for what nobody needs for long.
        let _ = fs::remove_file(&self.root);
    }
}

impl Tls {
    /// Makes all keys and certificates anew.
    ///
    /// # Errors
    /// When one cannot be made, or the root not written down.
    pub fn made() -> Result<Self, Trouble> {
        let (root, certificate) = authority("root", None)?;
        let (middle, between) = authority("authority", Some(&root))?;
        let key = KeyPair::generate()?;
        let server = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &middle)?;
        let chain = vec![server.der().clone(), between.der().clone()];
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let path = std::env::temp_dir().join(format!("belay-bench-{}.pem", std::process::id()));
        fs::write(&path, certificate.pem())?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), root: path })
    }

    /// The root's certificate: who trusts it, trusts the server.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

fn authority(
    name: &str,
    by: Option<&Issuer<'static, KeyPair>>,
) -> Result<(Issuer<'static, KeyPair>, Certificate), Trouble> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate()?;
    let certificate = match by {
        None => params.self_signed(&key)?,
        Some(issuer) => params.signed_by(&key, issuer)?,
    };
    Ok((Issuer::new(params, key), certificate))
}
