//! What every HTTP client of ours has in common: whom it trusts, and that it goes where it was sent and nowhere else.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it has no certificates in PEM")]
pub struct NoCertificates;

/// Whose certificates are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those of the system's.
    #[default]
    System,
    /// Those of these alone, in DER.
    Only(Vec<Vec<u8>>),
}

impl Trust {
    /// `pem`: one certificate or more.
    pub fn only(pem: &[u8]) -> Result<Self, NoCertificates> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match read {
            Ok(found) if !found.is_empty() => {
                Ok(Self::Only(found.into_iter().map(|one| one.as_ref().to_vec()).collect()))
            }
            _ => Err(NoCertificates),
        }
    }

    fn roots(&self) -> Vec<Certificate<'static>> {
        let certificate = |der: &[u8]| Certificate::from_der(der).to_owned();
        match self {
            Self::Only(given) => given.iter().map(|one| certificate(one)).collect(),
            Self::System => {
                let found = rustls_native_certs::load_native_certs();
                found.certs.iter().map(|one| certificate(one.as_ref())).collect()
            }
        }
    }
}

/// A client that follows no redirect, since it may carry credentials, and takes every status for an answer. Blocks while it
/// reads the system's certificates, and on every call.
pub fn client(trust: &Trust) -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(trust.roots())))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent("flowdeck")
        .tls_config(tls)
}

/// Why there is no answer, for a person.
pub fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        // It would print the whole address, which may be a secret.
        ureq::Error::BadUri(_) => "it is no address that can be asked".to_owned(),
        error => error.to_string(),
    }
}
