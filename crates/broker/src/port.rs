//! Free TCP ports on loopback.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// `count` different ports that are free now. All are held open until the last is found, so that none comes
/// twice; between here and their use another process may still take one, and the start then fails and says so.
pub fn free(count: usize) -> Result<Vec<u16>> {
    let mut held = Vec::with_capacity(count);
    let mut ports = BTreeSet::new();
    while ports.len() < count {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port on 127.0.0.1")?;
        ports.insert(listener.local_addr().context("read the free port")?.port());
        held.push(listener);
    }
    Ok(ports.into_iter().collect())
}

/// Whether nothing listens on this port of loopback.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_different_and_free() {
        let ports = free(8).unwrap();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 8);
        assert!(ports.iter().all(|port| is_free(*port)));
    }

    #[test]
    fn a_port_in_use_is_not_free() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(held.local_addr().unwrap().port()));
    }
}
