//! How a session and a generation are written in a store.
//!
//! A record is a session or a generation, never both, so that nobody can present the id of a generation (which
//! follows from a name) as a session.

use std::time::Duration;

use flowdeck_model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};

use crate::auth::settings::session::SessionRules;

const SESSION: &str = "flowdeck.session";
const GENERATION: &str = "flowdeck.generation";

/// Use is noted this often at most: not every request becomes a write.
const NOTE_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::auth) struct Session {
    pub(in crate::auth) user: String,
    /// Of the credential at log-in: a new password ends old sessions.
    pub(in crate::auth) fingerprint: String,
    pub(super) generation: String,
    /// Log-in, epoch milliseconds.
    pub(super) since: i64,
    /// Last use that counts, epoch milliseconds.
    pub(super) last_used: i64,
}

impl Session {
    /// Over when idle for too long, or too old however busy. Clocks that ran back count as no time.
    pub(super) fn expires(&self, rules: &SessionRules) -> Timestamp {
        let idle = Timestamp::from_millis(self.last_used).plus(rules.idle);
        let absolute = Timestamp::from_millis(self.since).plus(rules.absolute);
        idle.min(absolute)
    }

    /// The last 30 s of use, or a tenth of the idle time where that is less, are not worth a write.
    pub(super) fn worth_noting(&self, rules: &SessionRules, now: Timestamp) -> bool {
        now.since(Timestamp::from_millis(self.last_used)) >= NOTE_EVERY.min(rules.idle / 10)
    }

    pub(super) fn record(&self, id: Id, rules: &SessionRules) -> Record {
        record(id, SESSION, self, self.expires(rules))
    }

    pub(super) fn read(record: &Record) -> Option<Self> {
        read(record, SESSION)
    }
}

/// Whose the session of a record is, for a store that bounds them. A generation is no session.
pub(super) struct Owner<'a> {
    pub(super) user: &'a str,
    /// The last use that was noted, then the log-in.
    pub(super) last_used: (i64, i64),
}

impl<'a> Owner<'a> {
    pub(super) fn of(record: &'a Record) -> Option<Self> {
        let session = record.data.get(SESSION)?;
        let time = |name: &str| session.get(name)?.as_i64();
        Some(Self { user: session.get("user")?.as_str()?, last_used: (time("last_used")?, time("since")?) })
    }
}

/// A random value of each user that the store keeps; a session of another generation is over.
pub(super) struct Generation(pub(super) String);

impl Generation {
    pub(super) fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// Follows from the name, so that every replica finds it.
    pub(super) fn id(user: &str) -> Id {
        let digest =
            Sha256::new().chain_update(b"flowdeck generation\0").chain_update(user.as_bytes()).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Id(i128::from_be_bytes(id))
    }

    pub(super) fn record(&self, id: Id, expires: Timestamp) -> Record {
        record(id, GENERATION, &self.0, expires)
    }

    pub(super) fn read(record: &Record) -> Option<Self> {
        read(record, GENERATION).map(Self)
    }
}

fn record(id: Id, key: &str, value: &impl Serialize, expires: Timestamp) -> Record {
    // Neither holds a map with keys that are no strings, the only way for this to fail.
    let value = serde_json::to_value(value).unwrap_or_default();
    // Redis counts whole seconds: a second more, since the rules are checked here anyway.
    let seconds = expires.millis() / 1_000 + 1;
    let expiry_date = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Record { id, data: [(key.to_owned(), value)].into(), expiry_date }
}

fn read<T: for<'de> Deserialize<'de>>(record: &Record, key: &str) -> Option<T> {
    serde_json::from_value(record.data.get(key)?.clone()).ok()
}
