//! What the values of a topic's configuration mean. Pure.

use std::time::Duration;

use super::{number, time};

/// `i64::MAX`: Kafka's word for no bound.
const NO_BOUND: &str = "9223372036854775807";

/// `unlimited`, `7 d`, `1.0 GiB`; `None` where the value says it all.
pub(crate) fn meaning(name: &str, value: &str) -> Option<String> {
    let retention = name.starts_with("retention.");
    match value {
        NO_BOUND => return Some("unlimited".to_owned()),
        "-1" if retention => return Some("unlimited".to_owned()),
        "-2" => return name.strip_prefix("local.").map(|of| ["as ", of].concat()),
        _ => {}
    }
    let amount: u64 = value.parse().ok()?;
    if name.ends_with(".ms") {
        return Some(if amount < 1_000 {
            number::count(amount, "ms", "ms")
        } else {
            time::span(Duration::from_millis(amount))
        });
    }
    // The exact number is beside it.
    (name.ends_with(".bytes") && amount >= 1_024).then(|| number::bytes(amount))
}

/// `retention 7 d or 1.0 GiB a partition`, `compacted`; `value` gives a setting, `None` where it is not known.
pub(crate) fn retention<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let policy = value("cleanup.policy")?;
    let mut words: Vec<String> = Vec::new();
    if policy.contains("compact") {
        words.push("compacted".to_owned());
    }
    if policy.contains("delete") {
        let of =
            |name: &str| value(name).and_then(|text| meaning(name, text).or_else(|| Some(text.to_owned())));
        let (age, size) = (of("retention.ms"), of("retention.bytes"));
        let size = size.filter(|size| size != "unlimited").map(|size| [&size, " a partition"].concat());
        words.extend(match (age, size) {
            (Some(age), Some(size)) if age == "unlimited" => Some(["retention ", &size].concat()),
            (Some(age), Some(size)) => Some(["retention ", &age, " or ", &size].concat()),
            (Some(one), None) | (None, Some(one)) => Some(["retention ", &one].concat()),
            (None, None) => None,
        });
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_are_words_and_numbers_have_units() {
        for (name, value, want) in [
            ("flush.ms", NO_BOUND, Some("unlimited")),
            ("flush.messages", NO_BOUND, Some("unlimited")),
            ("message.timestamp.before.max.ms", NO_BOUND, Some("unlimited")),
            ("retention.ms", "-1", Some("unlimited")),
            ("retention.bytes", "-1", Some("unlimited")),
            ("local.retention.ms", "-2", Some("as retention.ms")),
            ("local.retention.bytes", "-2", Some("as retention.bytes")),
            ("retention.ms", "604800000", Some("7 d")),
            ("segment.jitter.ms", "0", Some("0 ms")),
            ("flush.ms", "500", Some("500 ms")),
            ("retention.bytes", "1073741824", Some("1.0 GiB")),
            ("segment.bytes", "16", None),
            ("min.insync.replicas", "2", None),
            ("cleanup.policy", "delete", None),
            ("file.delete.delay.ms", "soon", None),
        ] {
            assert_eq!(meaning(name, value).as_deref(), want, "{name} = {value}");
        }
    }

    #[test]
    fn retention_names_both_bounds() {
        for (policy, age, size, want) in [
            ("delete", "86400000", "-1", Some("retention 1 d")),
            ("delete", "86400000", "1073741824", Some("retention 1 d or 1.0 GiB a partition")),
            ("delete", "-1", "-1", Some("retention unlimited")),
            ("delete", NO_BOUND, "-1", Some("retention unlimited")),
            ("delete", "-1", "100", Some("retention 100 a partition")),
            ("compact", "86400000", "100", Some("compacted")),
            ("compact,delete", "86400000", "-1", Some("compacted, retention 1 d")),
            ("", "1", "1", None),
        ] {
            let value = |name: &str| match name {
                "cleanup.policy" => Some(policy),
                "retention.ms" => Some(age),
                "retention.bytes" => Some(size),
                _ => None,
            };
            assert_eq!(retention(value).as_deref(), want, "{policy} {age} {size}");
        }
        assert_eq!(retention(|_| None), None, "not permitted to read it");
    }
}
