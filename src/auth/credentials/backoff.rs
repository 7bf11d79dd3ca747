//! Back-off after failed log-ins, per account and per address: waits that grow, are capped, and
//! never become a lock-out.
//!
//! - An account and an address have some attempts for free; from then on each failure doubles the wait.
//!   While a wait lasts nothing is verified, and attempts during it do not prolong it.
//! - A client that waited as it was told is verified next, however often others fail for the same account or from the
//!   same address meanwhile: a slot is reserved for it ([`Table::reservations`]). Of one address, which others may
//!   share, that holds for a few accounts at a time ([`SLOTS`]): else a slot for each of many accounts would bypass
//!   the address's wait.
//! - An address from which the account's password was right before has a count of its own, apart from both. So
//!   guessing from elsewhere does not lock the user out.
//! - An attempt counts as failed from its beginning until it succeeds: concurrent ones gain nothing.
//!
//! `governor` limits rates by key, but reserves nothing for a client that waited, and its keyed state has no limit.
//!
//! Names that do not exist are counted as all others: the waits tell nothing. Kept in memory, by
//! keyed hash, bounded; with several replicas each one counts for itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;

/// The wait after the last free try; it doubles from here.
const FIRST: Duration = Duration::from_secs(1);
/// Failures are forgotten this long after the last one.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// How long a slot is reserved after its wait.
const RESERVE: Duration = Duration::from_secs(120);
/// Reserved slots that an address's own wait does not put off.
const SLOTS: usize = 4;
/// How long an address is remembered for an account after a log-in.
const REMEMBER: Duration = Duration::from_secs(30 * 24 * 3600);
/// Of each kind of entry: about 1 MiB in all.
const MOST: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Rule {
    free: u32,
    cap: Duration,
}

impl Rule {
    /// After `failures`, the last one now.
    fn wait(self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None => Duration::ZERO,
            Some(over) => FIRST.saturating_mul(1 << over.min(16)).min(self.cap),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Account(u64),
    /// An IPv6 network of 64 bits counts as one address: its owner has all of them.
    Address(u64),
    /// An account from an address that it is known by.
    Pair(u64),
}

impl Key {
    fn rule(self) -> Rule {
        match self {
            Self::Account(_) | Self::Pair(_) => Rule { free: 5, cap: Duration::from_secs(30) },
            // More tries: many people may share an address.
            Self::Address(_) => Rule { free: 15, cap: Duration::from_secs(60) },
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    last: Instant,
    until: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Reservation {
    /// When the wait is over.
    due: Instant,
    /// It overrides the wait of this address, too.
    address: Option<Key>,
}

impl Reservation {
    fn is_valid(&self, now: Instant) -> bool {
        now < self.due + RESERVE
    }

    /// Whether it overrides the wait of this key, whatever others did meanwhile.
    fn overrides(&self, key: Key, now: Instant) -> bool {
        now >= self.due && (matches!(key, Key::Account(_)) || self.address == Some(key))
    }
}

#[derive(Default)]
struct Table {
    counts: HashMap<Key, Count>,
    /// By pair.
    reservations: HashMap<u64, Reservation>,
    /// Pair → the last log-in.
    known: HashMap<u64, Instant>,
}

#[derive(Default)]
pub(in crate::auth) struct Backoff {
    hasher: RandomState,
    table: Mutex<Table>,
}

/// An attempt that is under way, and counts as failed until `succeeded`.
#[derive(Debug)]
#[must_use]
pub(in crate::auth) struct Attempt {
    pair: u64,
    account: Key,
    /// The slot that this attempt took.
    slot: Option<Reservation>,
    /// What was counted, and the count before.
    counted: Vec<(Key, Option<Count>)>,
}

impl Backoff {
    /// `Err`: how long to wait; never zero.
    pub(in crate::auth) fn begin(
        &self,
        account: &str,
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<Attempt, Duration> {
        let network = address.map(network);
        let pair = self.hasher.hash_one((account, network));
        let account = Key::Account(self.hasher.hash_one(account));
        let address = Key::Address(self.hasher.hash_one(network));
        self.with(|table| {
            let known = table.is_known(pair, now);
            let keys = if known { vec![Key::Pair(pair)] } else { vec![account, address] };
            let reserved =
                table.reservations.get(&pair).copied().filter(|reservation| reservation.is_valid(now));
            let waits =
                keys.iter().filter(|key| !reserved.is_some_and(|reserved| reserved.overrides(**key, now)));
            let wait = waits.map(|key| table.wait(*key, now)).max().unwrap_or_default();
            if !wait.is_zero() {
                // The first reservation holds: asking again neither helps nor harms. A pair with its own count needs
                // none.
                if !known {
                    let reservation = reserved.unwrap_or_else(|| table.reservation(now + wait, address, now));
                    table.reserve(pair, reservation, now);
                }
                return Err(wait.max(Duration::from_secs(1)));
            }
            let slot = table.reservations.remove(&pair);
            let counted = keys.into_iter().map(|key| (key, table.count(key, now))).collect();
            Ok(Attempt { pair, account, slot, counted })
        })
    }

    /// The password was right: the account starts anew, what was counted for this attempt is undone.
    pub(in crate::auth) fn succeeded(&self, attempt: Attempt, now: Instant) {
        self.with(|table| {
            for (key, before) in attempt.counted {
                table.undo(key, before);
            }
            table.counts.remove(&attempt.account);
            table.counts.remove(&Key::Pair(attempt.pair));
            evict(&mut table.known, |last| now.saturating_duration_since(*last) < REMEMBER, |last| *last);
            table.known.insert(attempt.pair, now);
        });
    }

    /// Nothing was verified: it does not count, and its slot stays reserved.
    pub(in crate::auth) fn not_made(&self, attempt: Attempt, now: Instant) {
        self.with(|table| {
            attempt.counted.into_iter().for_each(|(key, before)| table.undo(key, before));
            if let Some(Reservation { due, address }) = attempt.slot {
                // Others may have taken slots meanwhile.
                let slot = address
                    .map_or(Reservation { due, address }, |address| table.reservation(due, address, now));
                table.reserve(attempt.pair, slot, now);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut lock(&self.table))
    }
}

impl Table {
    fn is_known(&self, pair: u64, now: Instant) -> bool {
        self.known.get(&pair).is_some_and(|last| now.saturating_duration_since(*last) < REMEMBER)
    }

    fn wait(&self, key: Key, now: Instant) -> Duration {
        self.counts.get(&key).map_or(Duration::ZERO, |count| count.until.saturating_duration_since(now))
    }

    /// One more failure. Returns the count before.
    fn count(&mut self, key: Key, now: Instant) -> Option<Count> {
        let fresh = |count: &Count| now.saturating_duration_since(count.last) < FORGET;
        let before = self.counts.get(&key).copied().filter(fresh);
        if before.is_none() {
            evict(&mut self.counts, fresh, |count| count.last);
        }
        let failures = before.map_or(0, |count| count.failures).saturating_add(1);
        let until = now + key.rule().wait(failures);
        self.counts.insert(key, Count { failures, last: now, until });
        before
    }

    /// Takes back one failure; others may have been counted meanwhile and stay.
    fn undo(&mut self, key: Key, before: Option<Count>) {
        let Some(count) = self.counts.get_mut(&key) else { return };
        count.failures = count.failures.saturating_sub(1);
        let only_mine = count.failures == before.map_or(0, |before| before.failures);
        match before {
            Some(before) if only_mine => *count = before,
            None if only_mine => drop(self.counts.remove(&key)),
            _ => {}
        }
    }

    fn reservation(&self, due: Instant, address: Key, now: Instant) -> Reservation {
        let slots =
            self.reservations.values().filter(|one| one.address == Some(address) && one.is_valid(now));
        Reservation { due, address: (slots.count() < SLOTS).then_some(address) }
    }

    fn reserve(&mut self, pair: u64, reservation: Reservation, now: Instant) {
        if !self.reservations.contains_key(&pair) {
            evict(
                &mut self.reservations,
                |reservation| reservation.is_valid(now),
                |reservation| reservation.due,
            );
        }
        self.reservations.insert(pair, reservation);
    }
}

/// Before an insertion into a full map: what is past goes, else what is oldest.
fn evict<K: Copy + Eq + std::hash::Hash, V>(
    map: &mut HashMap<K, V>,
    still_counts: impl Fn(&V) -> bool,
    age: impl Fn(&V) -> Instant,
) {
    if map.len() < MOST {
        return;
    }
    map.retain(|_, value| still_counts(value));
    while map.len() >= MOST {
        let Some(oldest) = map.iter().min_by_key(|(_, value)| age(value)).map(|(key, _)| *key) else {
            return;
        };
        map.remove(&oldest);
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    fn elsewhere(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4((0x0a00_0000 + n).into()))
    }

    fn fail(backoff: &Backoff, account: &str, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        backoff.begin(account, address, now).err().map(|wait| wait.as_secs())
    }

    #[test]
    fn waits() {
        let rule = Key::Account(0).rule();
        for (failures, seconds) in
            [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (9, 16), (10, 30), (50, 30), (u32::MAX, 30)]
        {
            assert_eq!(rule.wait(failures).as_secs(), seconds, "{failures}");
        }
    }

    #[test]
    fn waits_grow_after_five_failures() {
        let (backoff, mut now) = (Backoff::default(), Instant::now());
        for _ in 0..5 {
            assert_eq!(fail(&backoff, "ana", KNOWN, now), None);
        }
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(fail(&backoff, "ana", KNOWN, now), Some(seconds));
            // What is asked during the wait does not prolong it.
            assert_eq!(fail(&backoff, "ana", KNOWN, now), Some(seconds));
            now += Duration::from_secs(seconds);
            assert_eq!(fail(&backoff, "ana", KNOWN, now), None);
        }
        now += Duration::from_secs(30);
        let right = backoff.begin("ana", KNOWN, now).unwrap();
        backoff.succeeded(right, now);
        for _ in 0..5 {
            assert_eq!(fail(&backoff, "ana", KNOWN, now), None, "it starts anew");
        }
    }

    #[test]
    fn failures_expire() {
        let (backoff, mut now) = (Backoff::default(), Instant::now());
        for _ in 0..5 {
            assert_eq!(fail(&backoff, "ana", KNOWN, now), None);
        }
        now += FORGET;
        for _ in 0..5 {
            assert_eq!(fail(&backoff, "ana", KNOWN, now), None);
        }
    }

    #[test]
    fn concurrent_attempts_count_as_failures() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        let under_way: Vec<_> = (0..100).filter_map(|_| backoff.begin("ana", KNOWN, now).ok()).collect();
        assert_eq!(under_way.len(), 5);
    }

    #[test]
    fn many_accounts_from_one_address_wait() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        for n in 0..15 {
            assert_eq!(fail(&backoff, &format!("user{n}"), KNOWN, now), None);
        }
        assert_eq!(fail(&backoff, "user99", KNOWN, now), Some(1));
        assert_eq!(fail(&backoff, "user99", elsewhere(1), now), None);
    }

    #[test]
    fn ipv6_network_counts_as_one_address() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        for n in 0..15 {
            let address = format!("2001:db8::{n:x}:1").parse().ok();
            assert_eq!(fail(&backoff, &format!("user{n}"), address, now), None);
        }
        assert_eq!(fail(&backoff, "user99", "2001:db8::ffff".parse().ok(), now), Some(1));
        assert_eq!(fail(&backoff, "user99", "2001:db8:0:1::1".parse().ok(), now), None);
    }

    #[test]
    fn guessing_locks_nobody_out() {
        let (backoff, mut now) = (Backoff::default(), Instant::now());
        // The user logged in from this address before.
        let right = backoff.begin("ana", KNOWN, now).unwrap();
        backoff.succeeded(right, now);
        let mut attacker = 0;
        let mut guess = |backoff: &Backoff, now| {
            for _ in 0..50 {
                attacker += 1;
                let _ = backoff.begin("ana", elsewhere(attacker), now);
            }
        };
        guess(&backoff, now);
        let again = backoff.begin("ana", KNOWN, now).expect("a known address does not wait");
        drop(again);
        // From a new address the user waits as told, while the guessing goes on, and is let in.
        let wait = backoff.begin("ana", elsewhere(9_999_999), now).unwrap_err();
        for _ in 0..wait.as_secs() {
            now += Duration::from_secs(1);
            guess(&backoff, now);
        }
        let right = backoff.begin("ana", elsewhere(9_999_999), now).expect("the wait is over");
        backoff.succeeded(right, now);
    }

    /// Such as a script with an old password, behind the same proxy.
    #[test]
    fn constant_failures_from_one_address_lock_nobody_out() {
        let (backoff, mut now) = (Backoff::default(), Instant::now());
        for n in 0..15 {
            assert_eq!(fail(&backoff, &format!("user{n}"), KNOWN, now), None);
        }
        let wait = backoff.begin("ana", KNOWN, now).unwrap_err();
        for _ in 0..wait.as_secs() {
            now += Duration::from_secs(1);
            for _ in 0..5 {
                let _ = backoff.begin("script", KNOWN, now);
            }
        }
        // The server was busy: the slot stays reserved.
        let busy = backoff.begin("ana", KNOWN, now).expect("the wait is over");
        backoff.not_made(busy, now);
        now += Duration::from_secs(3);
        let _ = backoff.begin("script", KNOWN, now);
        let right = backoff.begin("ana", KNOWN, now).expect("the wait is over");
        backoff.succeeded(right, now);
    }

    #[test]
    fn many_accounts_do_not_bypass_the_wait_of_an_address() {
        let (backoff, mut now) = (Backoff::default(), Instant::now());
        let mut tried = 0;
        for _ in 0..600 {
            for n in 0..100 {
                tried += u32::from(backoff.begin(&format!("user{n}"), KNOWN, now).is_ok());
            }
            now += Duration::from_secs(1);
        }
        // 15 for free, then one and the reserved slots for each wait, which grows to a minute.
        assert!((20..=15 + 17 * (1 + SLOTS as u32)).contains(&tried), "{tried} tries in ten minutes");
    }

    #[test]
    fn known_address_has_limits_too() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        let right = backoff.begin("ana", KNOWN, now).unwrap();
        backoff.succeeded(right, now);
        for _ in 0..5 {
            assert_eq!(fail(&backoff, "ana", KNOWN, now), None);
        }
        assert_eq!(fail(&backoff, "ana", KNOWN, now), Some(1));
    }

    #[test]
    fn unverified_attempts_do_not_count() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..50 {
            let tried = backoff.begin("ana", KNOWN, now).unwrap();
            backoff.not_made(tried, now);
        }
    }

    #[test]
    fn backoff_memory_is_bounded() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        for n in 0..(MOST as u32 + 500) {
            let now = now + Duration::from_millis(u64::from(n));
            if let Ok(tried) = backoff.begin(&format!("user{n}"), elsewhere(n), now)
                && n % 2 == 0
            {
                backoff.succeeded(tried, now);
            }
            let _ = backoff.begin("one", elsewhere(n), now);
        }
        backoff.with(|table| {
            for size in [table.counts.len(), table.reservations.len(), table.known.len()] {
                assert!(size <= MOST, "{size}");
            }
        });
    }
}
