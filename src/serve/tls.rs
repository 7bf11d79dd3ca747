//! TLS by the server itself: a certificate and its key from PEM files, checked at the start, and
//! read again while the server runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;
use crate::lock;

/// What a client may choose from, the first first.
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Which setting, which file, what is wrong, what to do; never a byte of a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{setting}: {} could not be read", path.display())]
    Read { setting: &'static str, path: PathBuf, source: io::Error },
    #[error("{setting}: {} is no PEM file: {problem}", path.display())]
    Pem { setting: &'static str, path: PathBuf, problem: pem::Error },
    #[error(
        "tls.certificate: {} holds no certificate: it needs `-----BEGIN CERTIFICATE-----`, the server's own first, \
         then those that lead to its issuer", .0.display()
    )]
    NoCertificate(PathBuf),
    #[error("tls.key: {} holds no key: it needs `-----BEGIN PRIVATE KEY-----`", .0.display())]
    NoKey(PathBuf),
    #[error("tls.key: {} is encrypted, and nobody is there to type its password: store it without one", .0.display())]
    Encrypted(PathBuf),
    #[error("tls.key: {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("tls: {} and {} cannot be used", certificate.display(), key.display())]
    Unusable { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("TLS cannot be set up")]
    Setup { source: rustls::Error },
}

/// Cheap to clone; all clones show the same certificate.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

/// A certificate with its key, read and found good, but not shown yet.
pub struct Certificate(Arc<CertifiedKey>);

/// The certificate that is shown to who connects now.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&lock::read(&self.0)))
    }
}

impl Tls {
    /// TLS 1.2 and 1.3; HTTP/2 and HTTP/1.1.
    pub fn new(certificate: Certificate) -> Result<Self, TlsError> {
        let current = Arc::new(Current(RwLock::new(certificate.0)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Setup { source })?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Self { config: Arc::new(config), current })
    }

    /// For who connects from now on; connections that are open stay.
    pub fn show(&self, certificate: Certificate) {
        *lock::write(&self.current.0) = certificate.0;
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }
}

impl Certificate {
    /// Blocks while it reads.
    pub fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let chain = chain(&files.certificate)?;
        let key = key(&files.key)?;
        let TlsFiles { certificate, key: key_file } = files.clone();
        match CertifiedKey::from_der(chain, key, &provider()) {
            Ok(certified) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch { certificate, key: key_file }),
            Err(source) => Err(TlsError::Unusable { certificate, key: key_file, source }),
        }
    }
}

/// Of this process' own choice, whatever other crates would choose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let setting = "tls.certificate";
    let text = read(setting, path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|problem| TlsError::Pem { setting, path: path.to_owned(), problem })?;
    match chain.is_empty() {
        true => Err(TlsError::NoCertificate(path.to_owned())),
        false => Ok(chain),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let setting = "tls.key";
    let text = read(setting, path)?;
    let encrypted = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];
    if encrypted.iter().any(|mark| text.windows(mark.len()).any(|part| part == mark.as_bytes())) {
        return Err(TlsError::Encrypted(path.to_owned()));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|problem| match problem {
        pem::Error::NoItemsFound => TlsError::NoKey(path.to_owned()),
        problem => TlsError::Pem { setting, path: path.to_owned(), problem },
    })
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { setting, path: path.to_owned(), source })
}

/// A sentence where every user of the machine can read the key.
pub fn exposed_key(files: &TlsFiles) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&files.key).ok()?.permissions().mode();
    (mode & 0o004 != 0).then(|| {
        format!("tls.key: every user of this machine can read {0}: `chmod o= {0}`", files.key.display())
    })
}
