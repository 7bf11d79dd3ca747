//! Log-ins, log-outs and refused credentials as entries of the audit. Never a password, a token or a session's id.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use flowdeck_control::{Audit, LogIn, LogInOutcome};
use flowdeck_model::actor::ActorView;
use flowdeck_model::{ActorKind, Timestamp, Via};
use tokio::time::Instant;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::lock;

/// Refused tokens are recorded so far apart; those between are counted.
const TOKENS_APART: Duration = Duration::from_secs(1);

#[derive(Clone, Default)]
pub(super) struct LogInAudit {
    audit: Audit,
    tokens: Arc<Tokens>,
}

#[derive(Default)]
struct Tokens {
    last: Mutex<Option<Instant>>,
    unrecorded: AtomicU64,
}

impl LogInAudit {
    pub(super) fn new(audit: Audit) -> Self {
        Self { audit, tokens: Arc::default() }
    }

    pub(super) fn logged_in(&self, user: &str, address: Option<IpAddr>) {
        self.record(actor(user, ActorKind::User, address), LogInOutcome::Accepted, None);
    }

    /// `reason` is a word of ours.
    pub(super) fn log_in_failed(&self, claimed: &str, address: Option<IpAddr>, reason: &'static str) {
        let actor = actor(claimed, ActorKind::User, address);
        self.record(actor, LogInOutcome::Refused, Some(reason.to_owned()));
    }

    pub(super) fn logged_out(&self, user: &str, address: Option<IpAddr>, everywhere: bool) {
        let outcome = if everywhere { LogInOutcome::SignedOutEverywhere } else { LogInOutcome::SignedOut };
        self.record(actor(user, ActorKind::User, address), outcome, None);
    }

    /// A script with a revoked token asks again and again: one entry a second, and a count of the rest.
    pub(super) fn token_refused(&self, address: Option<IpAddr>, refusal: &Refusal) {
        let now = Instant::now();
        let mut last = lock::lock(&self.tokens.last);
        if last.is_some_and(|last| now.saturating_duration_since(last) < TOKENS_APART) {
            self.tokens.unrecorded.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *last = Some(now);
        drop(last);
        let reason = if matches!(refusal, Refusal::ExpiredToken) { "expired" } else { "unknown" };
        let detail = match self.tokens.unrecorded.swap(0, Ordering::Relaxed) {
            0 => reason.to_owned(),
            more => format!("{reason}, {more} more before"),
        };
        let actor = ActorView { via: Via::Api, ..actor("", ActorKind::Token, address) };
        self.record(actor, LogInOutcome::Refused, Some(detail));
    }

    fn record(&self, actor: ActorView, outcome: LogInOutcome, detail: Option<String>) {
        let at = Timestamp::from_system(SystemTime::now());
        self.audit.log_in(LogIn { id: Uuid::new_v4(), at, actor, outcome, detail });
    }
}

fn actor(name: &str, kind: ActorKind, address: Option<IpAddr>) -> ActorView {
    ActorView { name: name.to_owned(), kind, via: Via::Page, address: address.map(|one| one.to_string()) }
}
