//! Sessions: what one holds, when it is over, and log-out everywhere.
//!
//! A session names its user, the fingerprint of the credential at log-in, and the user's *generation*: a
//! random value that the store keeps for each user. Log-out everywhere replaces it, so that every older
//! session is over at once, for all replicas of one store. A generation that is missing ends a
//! session too: what is not known is nobody.
//!
//! tower-sessions' own layer is not used: it loads and saves around every answer, an event stream
//! or an asset among them, and would so keep alive what an open tab asks for by itself. Its records
//! and stores are.

use std::sync::Arc;
use std::time::Duration;

use tower_sessions::SessionStore;
use tower_sessions::session::Id;

use super::record::{Generation, Session};
use super::store::{StoreError, ask};
use crate::auth::refusal::Ended;
use crate::auth::request::KeepAlive;
use crate::auth::settings::session::SessionRules;
use crate::clock::Clock;

/// How long a generation is kept: for ever, as far as sessions go. There is one for each user of
/// the configuration. (To prolong it at each log-in would be a write that may undo a log-out
/// everywhere of the same moment.)
const GENERATION_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl From<StoreError> for Ended {
    fn from(_: StoreError) -> Self {
        Self::Unavailable
    }
}

pub(in crate::auth) struct Sessions {
    store: Arc<dyn SessionStore>,
    rules: SessionRules,
    clock: Clock,
}

impl Sessions {
    pub(in crate::auth) fn new(store: Arc<dyn SessionStore>, rules: SessionRules, clock: Clock) -> Self {
        Self { store, rules, clock }
    }

    /// A new session under a new random id.
    pub(in crate::auth) async fn begin(&self, user: &str, fingerprint: &str) -> Result<Id, StoreError> {
        let generation = match self.generation(user).await? {
            Some(generation) => generation,
            None => self.new_generation(user).await?,
        };
        let now = self.clock.now().millis();
        let session = Session {
            user: user.to_owned(),
            fingerprint: fingerprint.to_owned(),
            generation: generation.0,
            since: now,
            last_used: now,
        };
        let mut record = session.record(Id::default(), &self.rules);
        ask("begin a session", self.store.create(&mut record)).await?;
        Ok(record.id)
    }

    pub(in crate::auth) async fn find(&self, id: Id, keep_alive: KeepAlive) -> Result<Session, Ended> {
        let record = ask("look up a session", self.store.load(&id)).await?.ok_or(Ended::Over)?;
        let mut session = Session::read(&record).ok_or(Ended::Over)?;
        let now = self.clock.now();
        if now >= session.expires(&self.rules) {
            // Best effort: the sweep, or Redis itself, removes it otherwise.
            let _ = ask("remove an expired session", self.store.delete(&id)).await;
            return Err(Ended::Expired);
        }
        if self.generation(&session.user).await?.is_none_or(|now| now.0 != session.generation) {
            return Err(Ended::LoggedOutEverywhere);
        }
        if keep_alive == KeepAlive::Yes && session.worth_noting(&self.rules, now) {
            session.last_used = now.millis();
            // A store replaces and never makes here: a log-out in between stays one. What cannot be
            // noted costs the user idle time, no more.
            let record = session.record(id, &self.rules);
            if let Err(error) = ask("note a session's use", self.store.save(&record)).await {
                tracing::debug!(%error, "a session's use was not noted");
            }
        }
        Ok(session)
    }

    pub(in crate::auth) async fn end(&self, id: Id) -> Result<(), StoreError> {
        ask("end a session", self.store.delete(&id)).await
    }

    /// Ends every session that `user` has anywhere.
    pub(in crate::auth) async fn end_all(&self, user: &str) -> Result<(), StoreError> {
        ask("end all sessions", self.store.delete(&Generation::id(user))).await?;
        self.new_generation(user).await.map(drop)
    }

    async fn generation(&self, user: &str) -> Result<Option<Generation>, StoreError> {
        let record = ask("look up a generation", self.store.load(&Generation::id(user))).await?;
        Ok(record.as_ref().and_then(Generation::read))
    }

    /// Two replicas may do this at once: the first one's value holds for both.
    async fn new_generation(&self, user: &str) -> Result<Generation, StoreError> {
        let (id, own) = (Generation::id(user), Generation::random());
        let mut record = own.record(id, self.clock.now().plus(GENERATION_LIFE));
        let made = ask("make a generation", self.store.create(&mut record)).await;
        if made.is_ok() && record.id == id {
            return Ok(own);
        }
        if made.is_ok() {
            // The id was taken, so the store chose another one, which nobody will ask for.
            ask("remove a spare record", self.store.delete(&record.id)).await?;
        }
        match self.generation(user).await? {
            Some(other) => Ok(other),
            None => Err(made.err().unwrap_or(StoreError::Lost { operation: "make a generation" })),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::auth::identity::memory::{MOST_OF_USER, Memory};
    use flowdeck_model::Timestamp;

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

        async fn look(&self, id: Id, keep_alive: KeepAlive) -> Result<String, Ended> {
            self.sessions.find(id, keep_alive).await.map(|session| session.user)
        }
    }

    #[tokio::test]
    async fn idle_and_absolute_expiry() {
        let bench = Bench::new();
        let id = bench.sessions.begin("ana", "p").await.unwrap();
        for _ in 0..20 {
            bench.pass(29);
            assert_eq!(bench.look(id, KeepAlive::Yes).await.as_deref(), Ok("ana"));
        }
        bench.pass(30);
        assert_eq!(bench.look(id, KeepAlive::Yes).await, Err(Ended::Expired));
        assert_eq!(bench.look(id, KeepAlive::Yes).await, Err(Ended::Over), "it was removed");

        let id = bench.sessions.begin("ana", "p").await.unwrap();
        for _ in 0..24 {
            bench.pass(29);
            assert!(bench.look(id, KeepAlive::Yes).await.is_ok());
        }
        bench.pass(24);
        assert_eq!(bench.look(id, KeepAlive::Yes).await, Err(Ended::Expired), "however busy: 12 h");
    }

    #[tokio::test]
    async fn stream_does_not_keep_session_alive() {
        let bench = Bench::new();
        let id = bench.sessions.begin("ana", "p").await.unwrap();
        for _ in 0..29 {
            bench.pass(1);
            assert!(bench.look(id, KeepAlive::No).await.is_ok());
        }
        bench.pass(1);
        assert_eq!(bench.look(id, KeepAlive::No).await, Err(Ended::Expired));
    }

    #[tokio::test]
    async fn late_save_does_not_undo_log_out() {
        let bench = Bench::new();
        let id = bench.sessions.begin("ana", "p").await.unwrap();
        let late = bench.store.load(&id).await.unwrap().unwrap();
        bench.sessions.end(id).await.unwrap();
        bench.store.save(&late).await.unwrap();
        assert_eq!(bench.look(id, KeepAlive::Yes).await, Err(Ended::Over));
    }

    #[tokio::test]
    async fn log_out_everywhere_ends_all_sessions_of_one_user() {
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
            assert_eq!(bench.look(id, KeepAlive::Yes).await, Err(Ended::LoggedOutEverywhere));
        }
        assert!(bench.look(other, KeepAlive::Yes).await.is_ok());
        let again = bench.sessions.begin("ana", "p").await.unwrap();
        assert!(bench.look(again, KeepAlive::Yes).await.is_ok());
        // The generation outlives every session under it.
        bench.pass(90 * 24 * 60);
        let late = bench.sessions.begin("ana", "p").await.unwrap();
        for _ in 0..24 {
            bench.pass(29);
            assert!(bench.look(late, KeepAlive::Yes).await.is_ok());
        }
    }

    /// The store takes 100 records.
    #[tokio::test]
    async fn session_limit_ends_own_sessions_only() {
        let bench = Bench::new();
        let ben = bench.sessions.begin("ben", "p").await.unwrap();
        let mut anas = vec![];
        for _ in 0..MOST_OF_USER {
            anas.push(bench.sessions.begin("ana", "p").await.unwrap());
            bench.now.fetch_add(1, Ordering::Relaxed);
        }
        // The session in use is not the least recently used one.
        bench.pass(1);
        assert!(bench.look(anas[0], KeepAlive::Yes).await.is_ok());
        for _ in 0..200 {
            anas.push(bench.sessions.begin("ana", "p").await.unwrap());
            bench.now.fetch_add(1, Ordering::Relaxed);
            assert!(bench.look(*anas.last().unwrap(), KeepAlive::No).await.is_ok());
            if anas.len() == MOST_OF_USER + 1 {
                assert!(bench.look(anas[0], KeepAlive::No).await.is_ok());
                assert_eq!(bench.look(anas[1], KeepAlive::No).await, Err(Ended::Over));
            }
        }
        let mut alive = 0;
        for id in &anas {
            alive += usize::from(bench.look(*id, KeepAlive::No).await.is_ok());
        }
        assert_eq!(alive, MOST_OF_USER);
        assert!(bench.look(anas[anas.len() - MOST_OF_USER], KeepAlive::No).await.is_ok(), "the newest");
        assert!(bench.look(ben, KeepAlive::No).await.is_ok(), "ana's log-ins ended ben's session");
    }

    #[tokio::test]
    async fn generation_id_is_no_session() {
        let bench = Bench::new();
        bench.sessions.begin("ana", "p").await.unwrap();
        assert!(bench.store.load(&Generation::id("ana")).await.unwrap().is_some());
        assert_eq!(bench.look(Generation::id("ana"), KeepAlive::Yes).await, Err(Ended::Over));
    }

    #[tokio::test]
    async fn session_without_generation_is_over() {
        let bench = Bench::new();
        let id = bench.sessions.begin("ana", "p").await.unwrap();
        bench.store.delete(&Generation::id("ana")).await.unwrap();
        assert_eq!(bench.look(id, KeepAlive::Yes).await, Err(Ended::LoggedOutEverywhere));
    }
}
