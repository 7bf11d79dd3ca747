//! Numbers for people: `12.4 k`, and the exact one beside it.

use flowdeck_model::rate::Rate;
pub(crate) use flowdeck_model::shown::exact;
use flowdeck_model::shown::grouped;

/// Offsets are signed on the wire.
pub(crate) fn offset(number: i64) -> String {
    match number.to_string().strip_prefix('-') {
        Some(digits) => format!("-{}", grouped(digits)),
        None => grouped(&number.to_string()),
    }
}

/// Three significant digits from ten thousand on; cut off, never rounded up, so that a number
/// never looks larger than it is.
pub(crate) fn compact(number: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    if number < 10_000 {
        return exact(number);
    }
    for (unit, name) in UNITS {
        if number < unit {
            continue;
        }
        let (whole, rest) = (number / unit, number % unit);
        return match whole {
            0..10 => format!("{whole}.{:02} {name}", rest / (unit / 100)),
            10..100 => format!("{whole}.{} {name}", rest / (unit / 10)),
            _ => format!("{} {name}", exact(whole)),
        };
    }
    exact(number)
}

/// Records a second: `0.41`, `12.5`, `1,204`, `12.4 k`; what is not 0 never looks like 0.
pub(crate) fn rate(rate: Rate) -> String {
    let whole = rate.thousandths() / 1_000;
    if whole < 10_000 { rate.to_string() } else { compact(whole) }
}

/// `318 B`, `4.1 KiB`, `27 MiB`.
pub(crate) fn bytes(size: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    const GIB: u64 = 1024 * MIB;
    const TIB: u64 = 1024 * GIB;
    match size {
        0..KIB => format!("{size} B"),
        KIB..MIB => tenths(size, KIB, "KiB"),
        MIB..GIB => tenths(size, MIB, "MiB"),
        GIB..TIB => tenths(size, GIB, "GiB"),
        _ => tenths(size, TIB, "TiB"),
    }
}

fn tenths(size: u64, unit: u64, name: &str) -> String {
    let (whole, rest) = (size / unit, size % unit / (unit / 10));
    if whole < 10 { format!("{whole}.{} {name}", rest.min(9)) } else { format!("{whole} {name}") }
}

/// `1 group`, `2 groups`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", exact(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (number, want) in [
            (0, "0"),
            (999, "999"),
            (4_102, "4,102"),
            (9_999, "9,999"),
            (12_413, "12.4 k"),
            (99_999, "99.9 k"),
            (123_456, "123 k"),
            (1_249_999, "1.24 M"),
            (13_600_000_000, "13.6 G"),
            (u64::MAX, "18,446,744 T"),
        ] {
            assert_eq!(compact(number), want);
        }
        assert_eq!(exact(1_240_113), "1,240,113");
        assert_eq!(offset(-1_000), "-1,000");
        assert_eq!(offset(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn sizes() {
        for (size, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (4_200, "4.1 KiB"),
            (28_144_610, "26 MiB"),
            (1 << 30, "1.0 GiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(bytes(size), want);
        }
    }
}
