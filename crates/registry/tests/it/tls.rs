//! Over TLS: only the certificates that are given are trusted.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use flowdeck_payload::{NoSchema, Schemas};
use flowdeck_registry::{Registry, RegistrySettings};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\nConnection: close\r\n\r\n{\"schema\":\"\\\"string\\\"\"}   ";

/// Its address, and its certificate in PEM.
fn server() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            std::thread::spawn(move || answer(stream, config));
        }
    });
    (url, made.cert.pem())
}

/// A client that does not trust it is gone before it asks.
fn answer(mut stream: TcpStream, config: Arc<ServerConfig>) {
    let mut connection = ServerConnection::new(config).unwrap();
    let mut tls = Stream::new(&mut connection, &mut stream);
    let mut head = [0_u8; 4096];
    if tls.read(&mut head).is_ok_and(|read| read > 0) {
        let _ = tls.write_all(ANSWER);
        tls.conn.send_close_notify();
        let _ = tls.flush();
    }
}

#[test]
fn only_the_given_certificates_are_trusted() {
    let (url, ca) = server();
    let (_, other) = server();
    let settings = || RegistrySettings::new(&url).unwrap();
    let with_ca = |pem: &str| Registry::new("demo", &settings().with_ca(pem.as_bytes()).unwrap()).schema(7);
    let trusted = with_ca(&ca);
    assert!(trusted.is_ok(), "{trusted:?}");
    for refused in [with_ca(&other), Registry::new("demo", &settings()).schema(7)] {
        let Err(NoSchema::Failed(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("schema id 7 could not be read from the registry of demo"), "{why}");
    }
}
