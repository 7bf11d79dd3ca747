//! Numbers in few bits: small ones exactly, large ones cut off to so many significant bits (never rounded up, so that a
//! lag never looks larger than it was). The code grows with the number. All bits set: not known.

/// Significant bits of the 32-bit code, with which numbers below 134 million are exact.
const BITS_32: u32 = 26;
/// Of the 16-bit code: exact below 4,096, else off by less than 0.05 %; up to 2^42.
const BITS_16: u32 = 11;

pub(super) const UNKNOWN_32: u32 = u32::MAX;
pub(super) const UNKNOWN_16: u16 = u16::MAX;

pub(super) fn pack_32(value: Option<u64>) -> u32 {
    let code = value.map(|value| encode(value, BITS_32));
    code.map_or(UNKNOWN_32, |code| u32::try_from(code).unwrap_or(UNKNOWN_32).min(UNKNOWN_32 - 1))
}

pub(super) fn unpack_32(code: u32) -> Option<u64> {
    (code != UNKNOWN_32).then(|| decode(code.into(), BITS_32))
}

pub(super) fn pack_16(value: Option<u64>) -> u16 {
    let code = value.map(|value| encode(value, BITS_16));
    code.map_or(UNKNOWN_16, |code| u16::try_from(code).unwrap_or(UNKNOWN_16).min(UNKNOWN_16 - 1))
}

pub(super) fn unpack_16(code: u16) -> Option<u64> {
    (code != UNKNOWN_16).then(|| decode(code.into(), BITS_16))
}

/// An exponent above `bits` bits of the number, whose highest bit is implied where there is an exponent.
fn encode(value: u64, bits: u32) -> u64 {
    let length = u64::BITS - value.leading_zeros();
    match length.checked_sub(bits + 1) {
        None => value,
        Some(cut) => (u64::from(cut + 1) << bits) | ((value >> cut) & ((1 << bits) - 1)),
    }
}

fn decode(code: u64, bits: u32) -> u64 {
    let rest = code & ((1 << bits) - 1);
    match (code >> bits).checked_sub(1) {
        None => rest,
        Some(cut) => {
            (rest | (1 << bits)).checked_shl(u32::try_from(cut).unwrap_or(u32::MAX)).unwrap_or(u64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 2_047, 2_048, 4_095] {
            assert_eq!(unpack_16(pack_16(Some(value))), Some(value));
        }
        for value in [0, 4_102, 1 << 26, (1 << 27) - 1] {
            assert_eq!(unpack_32(pack_32(Some(value))), Some(value));
        }
        assert_eq!((unpack_16(pack_16(None)), unpack_32(pack_32(None))), (None, None));
        // More than the code can say: the most that it can.
        assert!(unpack_16(pack_16(Some(u64::MAX))).is_some_and(|most| most > 1 << 41));
        assert!(unpack_32(pack_32(Some(u64::MAX))).is_some_and(|most| most > u64::MAX / 2));
    }

    proptest! {
        #[test]
        fn a_number_is_cut_by_little(value in 0u64..1 << 42) {
            let half = unpack_16(pack_16(Some(value))).unwrap();
            prop_assert!(half <= value && value - half <= value / 2_048);
            let whole = unpack_32(pack_32(Some(value))).unwrap();
            prop_assert!(whole <= value && value - whole <= value / (1 << 26));
        }

        #[test]
        fn order_is_kept(a: u64, b: u64) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(pack_16(Some(low)) <= pack_16(Some(high)));
            prop_assert!(pack_32(Some(low)) <= pack_32(Some(high)));
        }
    }
}
