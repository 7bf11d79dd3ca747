//! Single values of the configuration, each parsed into a type of its own.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use url::Url;

use super::error::{ConfigError, Place};

/// Why a value is refused, in words; the place is added by whoever knows it.
pub(super) type Refused = String;

pub(super) fn parse<T: FromStr<Err = Refused>>(place: Place, text: &str) -> Result<T, ConfigError> {
    text.trim().parse().map_err(|problem| ConfigError::new(place, problem))
}

/// serde reads these from strings, so that a TOML error carries their place.
macro_rules! from_string {
    ($($name:ident),+) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

from_string!(Listen, Base, PublicUrl, HostName, Cidr, LogLevel, LogFormat);

/// `IP:PORT`; `localhost` means 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl FromStr for Listen {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        let plain = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        plain.as_deref().unwrap_or(text).parse().map(Self).map_err(|_| {
            format!(
                "{text:?} is no address to listen on: write IP:PORT, such as 127.0.0.1:8077 or [::1]:8077"
            )
        })
    }
}

/// The path under which all pages lie: empty, or `/a/b` without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A path below the base, as a browser asks for it. `""` is the base itself.
    pub fn path(&self, below: &str) -> String {
        match (self.0.as_str(), below) {
            ("", "") => "/".to_owned(),
            (base, below) => format!("{base}{below}"),
        }
    }
}

impl Default for Base {
    fn default() -> Self {
        Self("/kafkaflow".to_owned())
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Base {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        let path = text.trim_end_matches('/');
        if path.is_empty() {
            return Ok(Self(String::new()));
        }
        let plain = |part: &str| {
            !part.is_empty()
                && !matches!(part, "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        match path.strip_prefix('/') {
            Some(parts) if parts.split('/').all(plain) => Ok(Self(path.to_owned())),
            _ => Err(format!("{text:?} is no base path: write \"\" or /part/part of a-z A-Z 0-9 . _ -")),
        }
    }
}

/// How browsers reach the server through a proxy: `https://flowdeck.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// As a browser writes it in `Origin`.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Without port, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for PublicUrl {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        let url = Url::parse(text).ok().filter(|url| {
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let user = !url.username().is_empty() || url.password().is_some();
            matches!(url.scheme(), "http" | "https") && url.has_host() && bare && !user
        });
        url.map(Self).ok_or_else(|| {
            format!(
                "{text:?} is no public URL: write https://HOST or http://HOST:PORT (the path comes from `base`)"
            )
        })
    }
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// A host that browsers may name, lower case, without port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        let name = text.trim().to_ascii_lowercase();
        let plain = !name.is_empty()
            && name.len() <= 253
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        if plain || name.parse::<IpAddr>().is_ok() {
            return Ok(Self(name));
        }
        Err(format!("{text:?} is no host name: write it without scheme, port and wildcard"))
    }
}

/// Addresses: one, or `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cidr {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse::<IpNet>()
            .ok()
            .or_else(one)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no address or network: write 10.1.2.3 or 10.0.0.0/8"))
    }
}

/// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,flowdeck_kafka=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// As they were given.
    pub fn directives(&self) -> &str {
        &self.0
    }

    /// The audit is no matter of a level: it is silent only where a directive says so by its name.
    pub fn with_audit(&self) -> String {
        let named =
            self.0.split(',').any(|one| one.split_once('=').map_or(one, |(target, _)| target) == "audit");
        if named { self.0.clone() } else { format!("{},audit=info", self.0) }
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl FromStr for LogLevel {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        // The filter takes a space as part of a name.
        let plain =
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).collect::<Vec<_>>().join(",");
        match tracing_subscriber::EnvFilter::builder().parse(&plain) {
            Ok(_) if !plain.is_empty() => Ok(Self(plain)),
            _ => Err(format!(
                "{text:?} is no log level: error, warn, info, debug, trace, or module=level pairs"
            )),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = Refused;
    fn from_str(text: &str) -> Result<Self, Refused> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{text:?} is no log format: text or json")),
        }
    }
}

/// `true` and `false`, as .NET writes them too.
pub(super) fn truth(place: Place, text: &str) -> Result<bool, ConfigError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" | "" => Ok(false),
        _ => Err(ConfigError::new(place, "neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        for (text, want) in [("", ""), ("/", ""), ("/kafkaflow", "/kafkaflow"), ("/a/b.c/", "/a/b.c")] {
            assert_eq!(text.parse::<Base>().unwrap().as_str(), want);
        }
        for bad in ["kafkaflow", "//", "/a//b", "/../x", "/{a}", "/a b", "/a?b"] {
            assert!(bad == "//" || bad.parse::<Base>().is_err(), "{bad}");
        }
        assert_eq!("".parse::<Base>().unwrap().path(""), "/");
    }

    #[test]
    fn networks() {
        let net: Cidr = "10.0.0.0/8".parse().unwrap();
        assert!(net.contains("10.9.9.9".parse().unwrap()));
        assert!(net.contains("::ffff:10.9.9.9".parse().unwrap()));
        assert!(!net.contains("11.0.0.1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("1.2.3.4".parse().unwrap()));
        assert!("fd00::/8".parse::<Cidr>().unwrap().contains("fd12::1".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Cidr>().is_err());
    }

    #[test]
    fn audit_level_follows_its_own_directive_only() {
        for (text, want) in [
            ("warn", "warn,audit=info"),
            ("flowdeck_kafka=debug", "flowdeck_kafka=debug,audit=info"),
            ("off", "off,audit=info"),
            ("auditor=warn, audit[request]=warn", "auditor=warn,audit[request]=warn,audit=info"),
            ("warn, audit=off,", "warn,audit=off"),
            ("audit", "audit"),
        ] {
            assert_eq!(text.parse::<LogLevel>().unwrap().with_audit(), want);
        }
        assert!(" , ".parse::<LogLevel>().is_err() && "audit=loud".parse::<LogLevel>().is_err());
    }

    #[test]
    fn public_urls() {
        let url: PublicUrl = "https://Flowdeck.example:443/".parse().unwrap();
        assert_eq!((url.origin().as_str(), url.host()), ("https://flowdeck.example", "flowdeck.example"));
        for bad in ["flowdeck.example", "ftp://x", "https://x/y", "https://user@x", "https://"] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
        assert_eq!(host_of("[::1]:80"), "::1");
    }
}
