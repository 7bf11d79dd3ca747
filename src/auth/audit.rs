//! One structured line for each log-in, log-out and refused credential, under the target
//! `audit`, where commands
//! have theirs. Never a password, a token or a session's id; what a client wrote is cut and
//! escaped, so that no line can be forged and no terminal be driven.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::refusal::Refusal;

/// In characters: names of the configuration are shorter.
const LONGEST: usize = 64;

pub(super) fn logged_in(user: &str, address: Option<IpAddr>) {
    tracing::info!(
        target: "audit", event = "logIn", outcome = "ok",
        actor.name = %plain(user), actor.kind = "User", actor.address = %Address(address), "logged in"
    );
}

/// `reason` is a word of ours.
pub(super) fn log_in_failed(claimed: &str, address: Option<IpAddr>, reason: &'static str) {
    tracing::warn!(
        target: "audit", event = "logIn", outcome = "refused", reason,
        actor.claimed = %plain(claimed), actor.address = %Address(address), "log-in refused"
    );
}

pub(super) fn logged_out(user: &str, address: Option<IpAddr>, everywhere: bool) {
    let event = if everywhere { "logOutEverywhere" } else { "logOut" };
    tracing::info!(
        target: "audit", event, outcome = "ok",
        actor.name = %plain(user), actor.kind = "User", actor.address = %Address(address), "logged out"
    );
}

/// A script with a revoked token asks again and again: one line a second, and a count of the rest.
pub(super) fn token_refused(address: Option<IpAddr>, refusal: &Refusal) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    static UNSAID: AtomicU64 = AtomicU64::new(0);
    let now = Instant::now();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_some_and(|last| now.saturating_duration_since(last) < Duration::from_secs(1)) {
        UNSAID.fetch_add(1, Ordering::Relaxed);
        return;
    }
    *last = Some(now);
    drop(last);
    let unsaid = UNSAID.swap(0, Ordering::Relaxed);
    let reason = if matches!(refusal, Refusal::ExpiredToken) { "expired" } else { "unknown" };
    tracing::warn!(
        target: "audit", event = "token", outcome = "refused", reason, unsaid,
        actor.address = %Address(address), "bearer token refused"
    );
}

struct Address(Option<IpAddr>);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

/// What is not letter, digit, sign or space of ASCII is escaped; what is too long ends in `…`.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_escaped() {
        for (text, want) in [
            ("ana", "ana".to_owned()),
            ("a b", "a b".to_owned()),
            ("a\nactor.name=root", "a\\u{a}actor.name=root".to_owned()),
            ("\u{1b}[2J", "\\u{1b}[2J".to_owned()),
            ("\u{202e}x", "\\u{202e}x".to_owned()),
            ("\"\\", "\\\"\\\\".to_owned()),
            (&"x".repeat(65), format!("{}…", "x".repeat(64))),
        ] {
            assert_eq!(plain(text), want);
        }
        assert!(plain(&"\u{10ffff}".repeat(1_000_000)).len() < 1_000);
    }
}
