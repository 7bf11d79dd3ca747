//! Records of holds that cannot be read and that nothing has replaced since. Agents may obey what they hold,
//! and no page shows it. Pure.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// So many are told apart, by their keys' hashes.
const KEYS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct UndecodableHolds {
    keys: HashSet<u64>,
    more: bool,
}

impl UndecodableHolds {
    /// The newest record under the key, and whether what it holds is known now. Says whether that is news.
    pub(crate) fn note(&mut self, key: Option<&[u8]>, is_known: bool) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let key = hasher.finish();
        if is_known {
            return self.keys.remove(&key);
        }
        if self.keys.len() < KEYS_MAX {
            return self.keys.insert(key);
        }
        let news = !self.more && !self.keys.contains(&key);
        self.more |= news;
        news
    }

    pub(crate) fn warning(&self, topic: &str) -> Option<String> {
        let records = match self.keys.len() {
            _ if self.more => format!("more than {KEYS_MAX} records on {topic} could not be read"),
            0 => return None,
            1 => format!("1 record on {topic} cannot be read"),
            many => format!("{many} records on {topic} cannot be read"),
        };
        Some(format!(
            "{records} (malformed, too long or of another version): a pause that is not shown may be in force"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_until_it_is_replaced() {
        let mut unread = UndecodableHolds::default();
        assert_eq!(unread.warning("flowdeck.holds"), None);
        assert!(unread.note(Some(b"a"), false) && !unread.note(Some(b"a"), false));
        let words = unread.warning("flowdeck.holds").unwrap();
        assert!(words.starts_with("1 record on flowdeck.holds cannot be read"), "{words}");
        assert!(!unread.note(Some(b"b"), true));
        assert!(unread.note(Some(b"a"), true));
        assert_eq!(unread.warning("flowdeck.holds"), None);
    }

    #[test]
    fn a_flood_of_them_is_bounded() {
        let mut unread = UndecodableHolds::default();
        for n in 0..2 * KEYS_MAX {
            unread.note(Some(&n.to_be_bytes()), false);
        }
        assert_eq!(unread.keys.len(), KEYS_MAX);
        assert!(unread.warning("t").unwrap().starts_with("more than 10000 records on t could not be read"));
    }
}
