//! Whether a server lives, as the image's health check asks: over HTTP, or over TLS where that is what it speaks.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// For each step. The image's health check has five seconds.
const LIMIT: Duration = Duration::from_secs(1);
const QUESTION: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// `HTTP/1.1 200`
const STATUS_LINE: usize = 12;

/// `listen`: where it was told to listen.
pub fn ask(listen: SocketAddr) -> anyhow::Result<()> {
    let address = reachable(listen);
    let said = match exchange(connect(address)?) {
        Ok(said) if said.starts_with(b"HTTP/") => said,
        // One that speaks TLS takes it for a broken handshake.
        _ => over_tls(address).with_context(|| format!("{address} gives no answer, by HTTP or HTTPS"))?,
    };
    if !said.ends_with(b" 200") {
        bail!("{address} answers {:?}, and not 200", String::from_utf8_lossy(&said));
    }
    Ok(())
}

/// Every address of this machine is reached by loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, LIMIT)
        .with_context(|| format!("nobody listens on {address}"))?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.set_write_timeout(Some(LIMIT))?;
    Ok(socket)
}

fn exchange(mut stream: impl Read + Write) -> io::Result<[u8; STATUS_LINE]> {
    let mut said = [0; STATUS_LINE];
    stream.write_all(QUESTION)?;
    stream.flush()?;
    stream.read_exact(&mut said)?;
    Ok(said)
}

fn over_tls(address: SocketAddr) -> anyhow::Result<[u8; STATUS_LINE]> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Whoever(provider)))
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), ServerName::from(address.ip()))?;
    Ok(exchange(StreamOwned::new(client, connect(address)?))?)
}

/// Whose certificate it is does not matter: no secret is sent, and its names are not loopback's.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
