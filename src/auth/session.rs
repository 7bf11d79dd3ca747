//! Sessions: what one holds, when it is over, and log-out everywhere.
//!
//! A session names its user, the print of his password at log-in, and his *generation*: a random
//! value that the store keeps for each user. Log-out everywhere replaces it, so that every older
//! session is over at once, for all replicas of one store. A generation that is missing ends a
//! session too: what is not known is nobody.
//!
//! tower-sessions' own layer is not used: it loads and saves around every answer, an event stream
//! or an asset among them, and would so keep alive what an open tab asks for by itself. Its records
//! and stores are.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::Record;

pub(super) use tower_sessions::session::Id;

use super::store::{StoreError, ask};
use super::{Clock, SessionRules, Touch};

/// The record's keys: a record is a session or a generation, never both, so that nobody can show
/// the id of a generation (which follows from a name) as a session.
const SESSION: &str = "flowdeck.session";
const GENERATION: &str = "flowdeck.generation";

/// Use is noted this often at most: not every request becomes a write.
const NOTE_EVERY: Duration = Duration::from_secs(30);
/// How long a generation is kept: for ever, as far as sessions go. There is one for each user of
/// the configuration. (To prolong it at each log-in would be a write that may undo a log-out
/// everywhere of the same moment.)
const GENERATION_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why there is no session any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// Logged out, swept, or never there.
    #[error("this session is over; sign in again")]
    Over,
    #[error("this session expired; sign in again")]
    Expired,
    #[error("this session was ended by a log-out everywhere; sign in again")]
    LoggedOutEverywhere,
    #[error("the account or its rights changed; sign in again")]
    AccountChanged,
    #[error("this token was revoked")]
    Revoked,
    /// Not known to be over: the store does not answer.
    #[error("the session store does not answer")]
    Unavailable,
}

impl From<StoreError> for Ended {
    fn from(_: StoreError) -> Self {
        Self::Unavailable
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) user: String,
    /// The print of the password's hash at log-in: a new password ends old sessions.
    pub(super) password: String,
    generation: String,
    /// Log-in, epoch milliseconds.
    since: i64,
    /// Last use that counts, epoch milliseconds.
    seen: i64,
}

impl Held {
    /// Over when idle for too long, or too old however busy. Clocks that ran back count as no time.
    fn expires(&self, rules: &SessionRules) -> Timestamp {
        let idle = Timestamp::from_millis(self.seen).plus(rules.idle);
        let absolute = Timestamp::from_millis(self.since).plus(rules.absolute);
        idle.min(absolute)
    }

    /// The last 30 s of use, or a tenth of the idle time where that is less, are not worth a write.
    fn worth_noting(&self, rules: &SessionRules, now: Timestamp) -> bool {
        now.since(Timestamp::from_millis(self.seen)) >= NOTE_EVERY.min(rules.idle / 10)
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
        let held = record.data.get(SESSION)?;
        let time = |name: &str| held.get(name)?.as_i64();
        Some(Self { user: held.get("user")?.as_str()?, last_used: (time("seen")?, time("since")?) })
    }
}

pub(super) struct Sessions {
    store: Arc<dyn SessionStore>,
    rules: SessionRules,
    clock: Clock,
}

impl Sessions {
    pub(super) fn new(store: Arc<dyn SessionStore>, rules: SessionRules, clock: Clock) -> Self {
        Self { store, rules, clock }
    }

    /// A new session under a new random id.
    pub(super) async fn begin(&self, user: &str, password: &str) -> Result<Id, StoreError> {
        let generation = match self.generation(user).await? {
            Some(generation) => generation,
            None => self.new_generation(user).await?,
        };
        let now = self.clock.now().millis();
        let held =
            Held { user: user.to_owned(), password: password.to_owned(), generation, since: now, seen: now };
        let mut record = self.record(Id::default(), SESSION, &held, held.expires(&self.rules));
        ask("begin a session", self.store.create(&mut record)).await?;
        Ok(record.id)
    }

    pub(super) async fn find(&self, id: Id, touch: Touch) -> Result<Held, Ended> {
        let record = ask("look up a session", self.store.load(&id)).await?.ok_or(Ended::Over)?;
        let mut held: Held = read(&record, SESSION).ok_or(Ended::Over)?;
        let now = self.clock.now();
        if now >= held.expires(&self.rules) {
            // Best effort: the sweep, or Redis itself, removes it otherwise.
            let _ = ask("remove an expired session", self.store.delete(&id)).await;
            return Err(Ended::Expired);
        }
        if self.generation(&held.user).await?.as_ref() != Some(&held.generation) {
            return Err(Ended::LoggedOutEverywhere);
        }
        if touch == Touch::Yes && held.worth_noting(&self.rules, now) {
            held.seen = now.millis();
            let record = self.record(id, SESSION, &held, held.expires(&self.rules));
            // A store replaces and never makes here: a log-out in between stays one. What cannot be
            // noted costs the reader idle time, no more.
            if let Err(error) = ask("note a session's use", self.store.save(&record)).await {
                tracing::debug!(%error, "a session's use was not noted");
            }
        }
        Ok(held)
    }

    pub(super) async fn end(&self, id: Id) -> Result<(), StoreError> {
        ask("end a session", self.store.delete(&id)).await
    }

    /// Ends every session that `user` has anywhere.
    pub(super) async fn end_all(&self, user: &str) -> Result<(), StoreError> {
        let id = generation_id(user);
        ask("end all sessions", self.store.delete(&id)).await?;
        self.new_generation(user).await.map(drop)
    }

    async fn generation(&self, user: &str) -> Result<Option<String>, StoreError> {
        let record = ask("look up a generation", self.store.load(&generation_id(user))).await?;
        Ok(record.and_then(|record| read(&record, GENERATION)))
    }

    /// Two replicas may do this at once: the first one's value holds for both.
    async fn new_generation(&self, user: &str) -> Result<String, StoreError> {
        let id = generation_id(user);
        let mine = format!("{:032x}", rand::random::<u128>());
        let mut record = self.record(id, GENERATION, &mine, self.clock.now().plus(GENERATION_LIFE));
        let made = ask("make a generation", self.store.create(&mut record)).await;
        if made.is_ok() && record.id == id {
            return Ok(mine);
        }
        if made.is_ok() {
            // The id was taken, so the store chose another one, which nobody will ask for.
            ask("remove a spare record", self.store.delete(&record.id)).await?;
        }
        match self.generation(user).await? {
            Some(theirs) => Ok(theirs),
            None => Err(made.err().unwrap_or(StoreError::Lost { operation: "make a generation" })),
        }
    }

    fn record(&self, id: Id, key: &str, value: &impl Serialize, expires: Timestamp) -> Record {
        // Neither holds a map with keys that are no strings, the only way for this to fail.
        let value = serde_json::to_value(value).unwrap_or_default();
        // Redis counts whole seconds: a second more, since the rules are checked here anyway.
        let seconds = expires.millis() / 1_000 + 1;
        let expiry_date = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Record { id, data: [(key.to_owned(), value)].into(), expiry_date }
    }
}

fn read<T: for<'de> Deserialize<'de>>(record: &Record, key: &str) -> Option<T> {
    serde_json::from_value(record.data.get(key)?.clone()).ok()
}

/// Follows from the name, so that every replica finds it.
fn generation_id(user: &str) -> Id {
    let digest =
        Sha256::new().chain_update(b"flowdeck generation\0").chain_update(user.as_bytes()).finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    Id(i128::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::auth::store::{MOST_OF_USER, Memory};

    struct Bench {
        sessions: Sessions,
        now: Arc<AtomicI64>,
        store: Arc<Memory>,
    }

    impl Bench {
        fn new() -> Self {
            let now = Arc::new(AtomicI64::new(1_000_000_000_000));
            let clock = Clock::new({
                let now = now.clone();
                move || Timestamp::from_millis(now.load(Ordering::Relaxed))
            });
            let rules =
                SessionRules { idle: Duration::from_secs(1_800), absolute: Duration::from_secs(43_200) };
            let store = Arc::new(Memory::new(100, clock.clone()));
            Self { sessions: Sessions::new(store.clone(), rules, clock), now, store }
        }

        fn pass(&self, minutes: i64) {
            self.now.fetch_add(minutes * 60_000, Ordering::Relaxed);
        }

        async fn look(&self, id: Id, touch: Touch) -> Result<String, Ended> {
            self.sessions.find(id, touch).await.map(|held| held.user)
        }
    }

    #[tokio::test]
    async fn idle_and_absolute_expiry() {
        let bench = Bench::new();
        let id = bench.sessions.begin("ana", "p").await.unwrap();
        for _ in 0..20 {
            bench.pass(29);
            assert_eq!(bench.look(id, Touch::Yes).await.as_deref(), Ok("ana"));
        }
        bench.pass(30);
        assert_eq!(bench.look(id, Touch::Yes).await, Err(Ended::Expired));
        assert_eq!(bench.look(id, Touch::Yes).await, Err(Ended::Over), "it was removed");

        let id = bench.sessions.begin("ana", "p").await.unwrap();
        for _ in 0..24 {
            bench.pass(29);
            assert!(bench.look(id, Touch::Yes).await.is_ok());
        }
        bench.pass(24);
        assert_eq!(bench.look(id, Touch::Yes).await, Err(Ended::Expired), "however busy: 12 h");
    }

    #[tokio::test]
    async fn an_open_stream_keeps_nothing_alive() {
        let bench = Bench::new();
        let id = bench.sessions.begin("ana", "p").await.unwrap();
        for _ in 0..29 {
            bench.pass(1);
            assert!(bench.look(id, Touch::No).await.is_ok());
        }
        bench.pass(1);
        assert_eq!(bench.look(id, Touch::No).await, Err(Ended::Expired));
    }

    #[tokio::test]
    async fn a_log_out_is_not_undone_by_a_late_note_of_use() {
        let bench = Bench::new();
        let id = bench.sessions.begin("ana", "p").await.unwrap();
        let late = bench.store.load(&id).await.unwrap().unwrap();
        bench.sessions.end(id).await.unwrap();
        bench.store.save(&late).await.unwrap();
        assert_eq!(bench.look(id, Touch::Yes).await, Err(Ended::Over));
    }

    #[tokio::test]
    async fn log_out_everywhere_ends_all_of_one_user_and_nobody_else() {
        let bench = Bench::new();
        let mine = [
            bench.sessions.begin("ana", "p").await.unwrap(),
            bench.sessions.begin("ana", "p").await.unwrap(),
        ];
        let other = bench.sessions.begin("ben", "p").await.unwrap();
        // Another replica on the same store.
        let replica = Sessions::new(bench.store.clone(), bench.sessions.rules, bench.sessions.clock.clone());
        replica.end_all("ana").await.unwrap();
        for id in mine {
            assert_eq!(bench.look(id, Touch::Yes).await, Err(Ended::LoggedOutEverywhere));
        }
        assert!(bench.look(other, Touch::Yes).await.is_ok());
        let again = bench.sessions.begin("ana", "p").await.unwrap();
        assert!(bench.look(again, Touch::Yes).await.is_ok());
        // The generation outlives every session under it.
        bench.pass(90 * 24 * 60);
        let late = bench.sessions.begin("ana", "p").await.unwrap();
        for _ in 0..24 {
            bench.pass(29);
            assert!(bench.look(late, Touch::Yes).await.is_ok());
        }
    }

    /// The store has room for 100 records.
    #[tokio::test]
    async fn who_logs_in_again_and_again_ends_his_own_sessions_and_nobody_elses() {
        let bench = Bench::new();
        let ben = bench.sessions.begin("ben", "p").await.unwrap();
        let mut anas = vec![];
        for _ in 0..MOST_OF_USER {
            anas.push(bench.sessions.begin("ana", "p").await.unwrap());
            bench.now.fetch_add(1, Ordering::Relaxed);
        }
        // The one that she works with is not the one that she left first.
        bench.pass(1);
        assert!(bench.look(anas[0], Touch::Yes).await.is_ok());
        for _ in 0..200 {
            anas.push(bench.sessions.begin("ana", "p").await.unwrap());
            bench.now.fetch_add(1, Ordering::Relaxed);
            assert!(bench.look(*anas.last().unwrap(), Touch::No).await.is_ok());
            if anas.len() == MOST_OF_USER + 1 {
                assert!(bench.look(anas[0], Touch::No).await.is_ok());
                assert_eq!(bench.look(anas[1], Touch::No).await, Err(Ended::Over));
            }
        }
        let mut alive = 0;
        for id in &anas {
            alive += usize::from(bench.look(*id, Touch::No).await.is_ok());
        }
        assert_eq!(alive, MOST_OF_USER);
        assert!(bench.look(anas[anas.len() - MOST_OF_USER], Touch::No).await.is_ok(), "her newest");
        assert!(bench.look(ben, Touch::No).await.is_ok(), "ben was signed out by ana");
    }

    #[tokio::test]
    async fn the_id_of_a_generation_is_no_session() {
        let bench = Bench::new();
        bench.sessions.begin("ana", "p").await.unwrap();
        assert!(bench.store.load(&generation_id("ana")).await.unwrap().is_some());
        assert_eq!(bench.look(generation_id("ana"), Touch::Yes).await, Err(Ended::Over));
    }

    #[tokio::test]
    async fn a_store_that_lost_the_generation_lost_the_session() {
        let bench = Bench::new();
        let id = bench.sessions.begin("ana", "p").await.unwrap();
        bench.store.delete(&generation_id("ana")).await.unwrap();
        assert_eq!(bench.look(id, Touch::Yes).await, Err(Ended::LoggedOutEverywhere));
    }
}
