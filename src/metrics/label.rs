//! Values of labels. Two names never get one value: that would be one series twice, which strict readers of
//! the format refuse, and one group's number under another's name.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// As long as a topic's name may be.
const CHARS_MAX: usize = 249;
/// What marks a name that was cut, before its hash.
const CUT: &str = "…#";
/// Bytes of the hash that are written.
const HASH_BYTES: usize = 8;

/// The name itself, with a backslash doubled and control characters as `\u{7}`, since some readers of the
/// format do not expect those. A longer one is cut and ends with a part of its SHA-256. The encoder of the
/// format escapes on top of that.
pub(super) fn value(name: &str) -> String {
    let escaped = escape(name);
    let fits = escaped.chars().count() <= CHARS_MAX;
    // A short name that looks as if it were cut could be taken for the one that was.
    if fits && !escaped.contains(CUT) {
        return escaped;
    }
    let mark: usize = CUT.chars().count() + HASH_BYTES * 2;
    let mut value: String = escaped.chars().take(CHARS_MAX - mark).collect();
    value.push_str(CUT);
    for byte in Sha256::digest(name.as_bytes()).iter().take(HASH_BYTES) {
        // A string takes whatever is written to it.
        let _ = write!(value, "{byte:02x}");
    }
    value
}

fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn label_values_stay_readable_and_bounded() {
        let long = "g".repeat(300);
        for (name, want) in [
            ("payments", "payments"),
            ("a\u{7}b", "a\\u{7}b"),
            ("a\\u{7}b", "a\\\\u{7}b"),
            ("grün 🦀", "grün 🦀"),
        ] {
            assert_eq!(value(name), want);
        }
        assert!(value(&long).starts_with("ggg") && value(&long).contains(CUT));
        assert_eq!(value(&long).chars().count(), CHARS_MAX);
    }

    #[test]
    fn similar_names_get_different_label_values() {
        let long = "g".repeat(249);
        let cut = value(&format!("{long}a"));
        let names = [
            "a\u{1}",
            "a\u{2}",
            "a\u{fffd}",
            "a\\u{1}",
            &long,
            &format!("{long}a"),
            &format!("{long}b"),
            &cut,
        ];
        let values: HashSet<String> = names.iter().map(|name| value(name)).collect();
        assert_eq!(values.len(), names.len(), "{values:?}");
    }

    proptest! {
        #[test]
        fn label_values_are_injective(a in "[\\\\u{}0-9a\u{0}\u{7}…#]{0,12}", b in "[\\\\u{}0-9a\u{0}\u{7}…#]{0,12}") {
            prop_assert_eq!(value(&a) == value(&b), a == b);
        }
    }
}
