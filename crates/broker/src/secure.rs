//! A second listener that asks who you are: SASL_SSL with SCRAM-SHA-256, behind Kafka's own authorizer.
//! Keys come from the JDK's keytool; the PLAINTEXT listener stays the administrator's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::supervise;

/// Of a throw-away key on loopback: not a secret.
const STORE_PASSWORD: &str = "flowdeck-test";
const KEYTOOL_LIMIT: Duration = Duration::from_secs(30);

/// A SCRAM-SHA-256 user of the secure listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramUser {
    pub name: String,
    pub password: String,
}

impl ScramUser {
    pub fn new(name: &str, password: &str) -> Self {
        Self { name: name.to_owned(), password: password.to_owned() }
    }

    /// As StorageTool's `--add-scram` reads it.
    pub(crate) fn record(&self) -> String {
        format!("SCRAM-SHA-256=[name={},password={}]", self.name, self.password)
    }
}

/// Where the secure listener is and what a client needs to trust it.
#[derive(Clone, Debug)]
pub struct SecureEndpoint {
    pub bootstrap: String,
    /// The broker's certificate as PEM, which is its own authority: librdkafka's `ssl.ca.location`.
    pub ca: PathBuf,
    keystore: PathBuf,
}

impl SecureEndpoint {
    /// librdkafka's properties for this user.
    pub fn client_properties(&self, user: &ScramUser) -> Vec<(String, String)> {
        [
            ("bootstrap.servers", self.bootstrap.as_str()),
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.username", &user.name),
            ("sasl.password", &user.password),
            ("ssl.ca.location", &self.ca.display().to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
    }

    pub(crate) fn properties(&self) -> Vec<(String, String)> {
        [
            ("listener.name.secure.sasl.enabled.mechanisms", "SCRAM-SHA-256"),
            (
                "listener.name.secure.scram-sha-256.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ),
            ("ssl.keystore.type", "PKCS12"),
            ("ssl.keystore.location", &self.keystore.display().to_string()),
            ("ssl.keystore.password", STORE_PASSWORD),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("super.users", "User:ANONYMOUS"),
            ("allow.everyone.if.no.acl.found", "false"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
    }
}

pub(crate) fn endpoint(dir: &Path, port: u16) -> Result<SecureEndpoint> {
    let endpoint = SecureEndpoint {
        bootstrap: format!("127.0.0.1:{port}"),
        ca: dir.join("ca.pem"),
        keystore: dir.join("broker.p12"),
    };
    if !endpoint.ca.is_file() {
        make_keys(&endpoint)?;
    }
    Ok(endpoint)
}

/// A self-signed pair for 127.0.0.1; the certificate is written last, so its presence means both are there.
fn make_keys(endpoint: &SecureEndpoint) -> Result<()> {
    let _ = fs::remove_file(&endpoint.keystore);
    keytool(
        endpoint,
        &[
            "-genkeypair",
            "-alias",
            "broker",
            "-keyalg",
            "EC",
            "-groupname",
            "secp256r1",
            "-validity",
            "3650",
            "-dname",
            "CN=127.0.0.1",
            "-ext",
            "SAN=ip:127.0.0.1,dns:localhost",
            "-ext",
            "bc:c=ca:true",
        ],
    )?;
    let pem = keytool(endpoint, &["-exportcert", "-rfc", "-alias", "broker"])?;
    fs::write(&endpoint.ca, pem).with_context(|| format!("write {}", endpoint.ca.display()))
}

fn keytool(endpoint: &SecureEndpoint, args: &[&str]) -> Result<String> {
    let mut command = Command::new("keytool");
    command
        .args(args)
        .args(["-storetype", "PKCS12", "-storepass", STORE_PASSWORD, "-keystore"])
        .arg(&endpoint.keystore);
    let (status, said) = supervise::capture("keytool", &command, KEYTOOL_LIMIT)?;
    ensure!(status.success(), "keytool (of the JDK) could not make the broker's key: {said}");
    Ok(said)
}
