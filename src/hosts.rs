//! The names under which browsers may ask.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::config::{Config, HostName, host_of};

/// The port does not count: it may be mapped.
#[derive(Debug, Clone)]
pub struct Hosts {
    names: BTreeSet<String>,
    /// Any IP address: a browser that shows one went there itself; no name of another site is involved.
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
    pub(crate) fn allows(&self, authority: &str) -> bool {
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
    let host = host_of(authority);
    host.strip_suffix('.').unwrap_or(host)
}

/// All of 127.0.0.0/8 is this machine, and `localhost` and what is under it never leave it (RFC 6761).
pub(crate) fn is_here(authority: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    let host = if authority.parse::<IpAddr>().is_ok() { &authority } else { bare(&authority) };
    let address = host.parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_hosts() {
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
