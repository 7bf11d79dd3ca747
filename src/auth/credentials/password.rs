//! Passwords: argon2id hashes as PHC strings, and their verification with bounded memory.
//!
//! A hash from the configuration must cost an attacker at least what OWASP asks of argon2id, and
//! must not cost this server more than [`MOST_MEMORY_KIB`] and [`MOST_WORK_KIB`]: at most [`AT_ONCE`] are
//! computed at a time, so that a storm of log-ins takes 128 MiB and two threads, never more.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

/// In bytes. Longer ones are refused unread.
pub(in crate::auth) const LONGEST: usize = 1_024;
/// For new passwords, in characters.
pub(in crate::auth) const SHORTEST: usize = 8;

/// Verifications at once.
const AT_ONCE: usize = 2;
/// Waiting for one of them; more are told to come again.
const IN_LINE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(5);

/// RFC 9106's second choice, m=65536,t=3,p=4, and a little more: a name that does not exist costs as much as the
/// dearest hash, so that is the price of every guess.
const MOST_MEMORY_KIB: u32 = 64 * 1024;
const MOST_WORK_KIB: u64 = 4 * MOST_MEMORY_KIB as u64;
const MOST_LANES: u32 = 16;
/// OWASP's cheapest memory for argon2id, with five passes; less memory is refused.
const LEAST_MEMORY_KIB: u32 = 7_168;
/// Memory times passes: about the same work along OWASP's whole row (m=19456,t=2 … m=7168,t=5).
const LEAST_WORK_KIB: u64 = 35_840;

/// A hash that was checked. Never printed.
#[derive(Clone)]
pub(in crate::auth) struct Hash {
    phc: Arc<PasswordHash>,
    cost: (u64, u32),
    fingerprint: String,
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Hash {
    /// The problem is in words, without the hash.
    pub(in crate::auth) fn parse(text: &str) -> Result<Self, String> {
        let refused = || {
            "this is no argon2 hash in PHC form ($argon2id$v=19$m=…,t=…,p=…$salt$hash); \
             make one with `flowdeck hash-password`"
                .to_owned()
        };
        let text = text.trim();
        let phc = PasswordHash::new(text).map_err(|_| refused())?;
        let (Some(salt), Some(output)) = (&phc.salt, &phc.hash) else { return Err(refused()) };
        match phc.algorithm.as_str() {
            "argon2id" => {}
            "argon2i" | "argon2d" => return Err(format!("{} is refused: use argon2id", phc.algorithm)),
            _ => return Err(refused()),
        }
        if phc.version != Some(0x13) {
            return Err("argon2 before version 19 (v=19) is refused".to_owned());
        }
        let params = Params::try_from(&phc).map_err(|_| refused())?;
        check(&params)?;
        if salt.len() < 8 || output.as_bytes().len() < 16 {
            return Err("its salt (8 bytes at least) or its hash (16) is too short".to_owned());
        }
        let digest = Sha256::digest(text.as_bytes());
        let fingerprint = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let cost = (work(&params), params.m_cost());
        Ok(Self { phc: Arc::new(phc), cost, fingerprint })
    }

    /// Changes when the password is set anew; says nothing about it.
    pub(in crate::auth) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What it costs to verify: memory times passes, then memory. To compare.
    pub(in crate::auth) fn cost(&self) -> (u64, u32) {
        self.cost
    }

    /// Takes tens of milliseconds and the memory that the hash names.
    fn accepts(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), &*self.phc).is_ok()
    }
}

fn work(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

fn check(params: &Params) -> Result<(), String> {
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory < LEAST_MEMORY_KIB || work(params) < LEAST_WORK_KIB {
        return Err(format!(
            "m={memory},t={passes} is too cheap to guess against: m={LEAST_MEMORY_KIB},t=5 is the least, \
             m=19456,t=2 is usual; make one with `flowdeck hash-password`"
        ));
    }
    if memory > MOST_MEMORY_KIB || work(params) > MOST_WORK_KIB || lanes > MOST_LANES {
        return Err(format!(
            "m={memory},t={passes},p={lanes} would let log-ins exhaust this server: \
             m={MOST_MEMORY_KIB},t=4,p={MOST_LANES} is the most"
        ));
    }
    Ok(())
}

/// A PHC string of argon2id with OWASP's usual parameters and a random salt.
pub(in crate::auth) fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Too many log-ins at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) struct Busy;

pub(in crate::auth) struct Verifier {
    at_once: Arc<Semaphore>,
    line: Semaphore,
}

impl Verifier {
    pub(in crate::auth) fn new() -> Self {
        Self { at_once: Arc::new(Semaphore::new(AT_ONCE)), line: Semaphore::new(AT_ONCE + IN_LINE) }
    }

    /// The same for a name that does not exist ([`crate::auth::accounts::Accounts::to_verify`]): neither answer nor time
    /// tells which names do.
    pub(in crate::auth) async fn verify(&self, hash: Hash, password: String) -> Result<bool, Busy> {
        let _place = self.line.try_acquire().map_err(|_| Busy)?;
        let permit = tokio::time::timeout(PATIENCE, self.at_once.clone().acquire_owned())
            .await
            .map_err(|_| Busy)?
            .map_err(|_| Busy)?;
        // The permit goes along: a client that leaves does not free memory that is still in use.
        let work = tokio::task::spawn_blocking(move || {
            let accepted = hash.accepts(&password);
            drop(permit);
            accepted
        });
        work.await.map_err(|_| Busy)
    }
}

#[cfg(test)]
pub(in crate::auth) mod tests {
    use super::*;

    /// The cheapest that is accepted, for tests.
    pub(in crate::auth) fn cheap(password: &str) -> String {
        with(LEAST_MEMORY_KIB, 5, password)
    }

    pub(in crate::auth) fn with(memory: u32, passes: u32, password: &str) -> String {
        let params = Params::new(memory, passes, 1, None).unwrap();
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        argon2.hash_password(password.as_bytes()).unwrap().to_string()
    }

    #[test]
    fn hash_accepts_its_password_only() {
        let hash = Hash::parse(&hash("correct horse").unwrap()).unwrap();
        assert!(hash.accepts("correct horse"));
        assert!(!hash.accepts("correct horse "));
        assert!(!hash.accepts(""));
        assert_eq!(format!("{hash:?}"), "…");
    }

    #[test]
    fn hashes_that_are_refused() {
        let salt_and_hash = "c29tZXNhbHRzb21lc2FsdA$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";
        for (head, problem) in [
            ("$argon2id$v=19$m=19456,t=2,p=1", None),
            ("$argon2id$v=19$m=7168,t=5,p=1", None),
            ("$argon2id$v=19$m=65536,t=3,p=4", None),
            ("$argon2id$v=19$m=7167,t=9,p=1", Some("too cheap")),
            ("$argon2id$v=19$m=19456,t=1,p=1", Some("too cheap")),
            ("$argon2id$v=19$m=4194304,t=2,p=1", Some("exhaust")),
            ("$argon2id$v=19$m=65536,t=5,p=1", Some("exhaust")),
            ("$argon2id$v=19$m=65537,t=1,p=1", Some("exhaust")),
            ("$argon2id$v=19$m=19456,t=99,p=1", Some("exhaust")),
            ("$argon2i$v=19$m=19456,t=2,p=1", Some("use argon2id")),
            ("$argon2d$v=19$m=19456,t=2,p=1", Some("use argon2id")),
            ("$argon2id$v=16$m=19456,t=2,p=1", Some("before version 19")),
            ("$argon2id$m=19456,t=2,p=1", Some("before version 19")),
            ("$scrypt$ln=16,r=8,p=1", Some("no argon2 hash")),
        ] {
            let got = Hash::parse(&format!("{head}${salt_and_hash}"));
            match problem {
                None => assert!(got.is_ok(), "{head}: {got:?}"),
                Some(words) => assert!(got.unwrap_err().contains(words), "{head}"),
            }
        }
        for text in
            ["", "hunter2", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ"]
        {
            let problem = Hash::parse(text).unwrap_err();
            assert!(problem.contains("flowdeck hash-password"), "{text}: {problem}");
            assert!(text.is_empty() || !problem.contains(text), "the hash is not repeated");
        }
    }

    #[tokio::test]
    async fn log_in_queue_is_bounded() {
        let verifier = Arc::new(Verifier::new());
        let _all = verifier.at_once.acquire_many(AT_ONCE as u32).await.unwrap();
        let hash = Hash::parse(&cheap("x")).unwrap();
        let waiting: Vec<_> = (0..AT_ONCE + IN_LINE)
            .map(|_| {
                let (verifier, hash) = (verifier.clone(), hash.clone());
                tokio::spawn(async move { verifier.verify(hash, "x".into()).await })
            })
            .collect();
        while verifier.line.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(verifier.verify(hash, "x".into()).await, Err(Busy));
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
