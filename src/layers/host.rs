//! The Host allow-list. A page on a foreign name that resolves to this machine (DNS rebinding)
//! would otherwise be same-origin with Flowdeck, past every Origin check and CORS.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::HOST;

use crate::api::problem::Problem;
use crate::config::{Config, HostName};
use crate::state::AppState;

/// The names under which browsers may ask. The port does not count: it may be mapped.
#[derive(Debug, Clone)]
pub struct Hosts {
    names: BTreeSet<String>,
    /// Any IP address: a browser that shows one went there itself; no foreign name is in play.
    /// For listeners on all interfaces, whose addresses are not known.
    any_address: bool,
}

impl Hosts {
    pub fn loopback() -> Self {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        Self { names, any_address: false }
    }

    pub fn of(config: &Config) -> Self {
        let mut hosts = Self::loopback();
        let listen = config.listen.ip();
        hosts.any_address = listen.is_unspecified();
        hosts.names.insert(listen.to_string());
        hosts.names.extend(config.public_url.iter().map(|url| url.host().to_owned()));
        hosts.names.extend(config.allowed_hosts.iter().map(|host| host.as_str().to_owned()));
        hosts
    }

    pub fn allow(mut self, host: HostName) -> Self {
        self.names.insert(host.as_str().to_owned());
        self
    }

    /// `authority` as in the Host header.
    fn allows(&self, authority: &str) -> bool {
        let authority = authority.trim().to_ascii_lowercase();
        let host = bare(&authority);
        if authority.contains(['@', '/', '\\', ' ']) || host.is_empty() {
            return false;
        }
        let address = self.any_address && host.parse::<IpAddr>().is_ok();
        self.names.contains(host) || address || is_here(host)
    }
}

fn bare(authority: &str) -> &str {
    let host = crate::config::host_of(authority);
    host.strip_suffix('.').unwrap_or(host)
}

/// All of 127.0.0.0/8 is this machine, and `localhost` and what is under it never leave it (RFC 6761).
pub(crate) fn is_here(authority: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    let host = if authority.parse::<IpAddr>().is_ok() { &authority } else { bare(&authority) };
    let address = host.parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The authority that the client asked for: of the request line, else of the Host header. `None`
/// where there is none, or more than one.
pub(crate) fn authority(request: &Request) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

pub(crate) async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match authority(&request) {
        Some(authority) if state.options.hosts.allows(authority) => next.run(request).await,
        Some(authority) => {
            let host: String = authority.chars().take(80).collect();
            Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "host",
                format!(
                    "Flowdeck does not answer under the name {host:?}. If this name is its own, add it to \
                     `allowed_hosts` or set `public_url`"
                ),
            )
            .into_response()
        }
        None => Problem::new(StatusCode::BAD_REQUEST, "host", "the request needs exactly one Host header")
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_answered() {
        let mut config = Config::default();
        config.allowed_hosts.push("flowdeck.test".parse().unwrap());
        config.public_url = Some("https://ops.example".parse().unwrap());
        let hosts = Hosts::of(&config);
        for good in [
            "localhost",
            "localhost:8077",
            "LOCALHOST:1",
            "127.0.0.1:8077",
            "127.0.0.53",
            "[::1]:8077",
            "a.localhost",
            "flowdeck.test:80",
            "ops.example",
            "ops.example.",
        ] {
            assert!(hosts.allows(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil.example@localhost",
            "10.0.0.1",
            "localhost/evil",
            "[::2]",
            "2130706433",
        ] {
            assert!(!hosts.allows(bad), "{bad}");
        }
        config.listen = "0.0.0.0:80".parse().unwrap();
        let hosts = Hosts::of(&config);
        assert!(hosts.allows("10.0.0.1:80") && !hosts.allows("evil.example"));
    }
}
