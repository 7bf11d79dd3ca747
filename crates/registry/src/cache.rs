//! Schemas that are known, and ids of which it is known for a moment that there is none. An id means the same schema for
//! ever, so nothing that was found grows old; what was used the longest ago makes place.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_payload::{NoSchema, RegisteredSchema};

const SCHEMAS_MAX: usize = 500;
/// Of the schemas' texts.
const BYTES_MAX: usize = 32 * 1024 * 1024;
const FAILURES_MAX: usize = 1_000;

#[derive(Debug)]
struct Known {
    schema: Arc<RegisteredSchema>,
    bytes: usize,
    used: u64,
}

#[derive(Debug)]
struct Failed {
    why: NoSchema,
    until: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Cache {
    known: HashMap<u32, Known>,
    failed: HashMap<u32, Failed>,
    bytes: usize,
    /// Counts uses.
    uses: u64,
}

impl Cache {
    pub(crate) fn get(&mut self, id: u32, now: Instant) -> Option<Result<Arc<RegisteredSchema>, NoSchema>> {
        self.uses += 1;
        if let Some(known) = self.known.get_mut(&id) {
            known.used = self.uses;
            return Some(Ok(Arc::clone(&known.schema)));
        }
        let failed = self.failed.get(&id).filter(|failed| now < failed.until)?;
        Some(Err(failed.why.clone()))
    }

    /// `bytes`: of the text, with those that it refers to.
    pub(crate) fn put(&mut self, id: u32, schema: Arc<RegisteredSchema>, bytes: usize) {
        self.uses += 1;
        self.failed.remove(&id);
        if let Some(before) = self.known.insert(id, Known { schema, bytes, used: self.uses }) {
            self.bytes -= before.bytes;
        }
        self.bytes += bytes;
        while self.known.len() > SCHEMAS_MAX || (self.bytes > BYTES_MAX && self.known.len() > 1) {
            let Some(oldest) = self.known.iter().min_by_key(|(_, known)| known.used).map(|(id, _)| *id)
            else {
                break;
            };
            if let Some(gone) = self.known.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }

    pub(crate) fn put_failure(&mut self, id: u32, why: NoSchema, now: Instant, during: Duration) {
        if self.failed.len() >= FAILURES_MAX {
            self.failed.retain(|_, failed| now < failed.until);
        }
        if self.failed.len() >= FAILURES_MAX {
            self.failed.clear();
        }
        self.failed.insert(id, Failed { why, until: now + during });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Arc<RegisteredSchema> {
        Arc::new(RegisteredSchema::json("true"))
    }

    #[test]
    fn both_bounds_hold_and_what_is_used_stays() {
        let now = Instant::now();
        let mut cache = Cache::default();
        for id in 0..10_000 {
            cache.put(id, schema(), 10);
            assert!(cache.get(0, now).is_some(), "{id}");
        }
        assert_eq!((cache.known.len(), cache.bytes), (SCHEMAS_MAX, SCHEMAS_MAX * 10));
        for id in 0..100 {
            cache.put(id, schema(), BYTES_MAX / 4);
        }
        assert!(cache.bytes <= BYTES_MAX && cache.known.len() >= 4, "{}", cache.bytes);
        cache.put(7, schema(), BYTES_MAX * 2);
        assert!(cache.get(7, now).is_some());
        assert_eq!(cache.known.len(), 1);
    }

    #[test]
    fn failures_end_and_have_a_bound() {
        let now = Instant::now();
        let mut cache = Cache::default();
        let why = || NoSchema::Unknown("no".to_owned());
        cache.put_failure(1, why(), now, Duration::from_secs(5));
        assert!(matches!(cache.get(1, now + Duration::from_secs(4)), Some(Err(_))));
        assert!(cache.get(1, now + Duration::from_secs(5)).is_none());
        for id in 0..10_000 {
            cache.put_failure(id, why(), now, Duration::from_secs(5));
        }
        assert!(cache.failed.len() <= FAILURES_MAX);
        cache.put(9_999, schema(), 1);
        assert!(matches!(cache.get(9_999, now), Some(Ok(_))));
    }
}
