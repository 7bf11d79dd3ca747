//! base64url without padding (RFC 4648, section 5). The crate base64 is made for speed, and costs the browser's download
//! 6,000 bytes before compression for names that are rare.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            out.push(char::from(ALPHABET[bits >> (18 - 6 * place) & 63]));
        }
    }
    out
}

/// `None`: not what [`encode`] makes of any bytes.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|one| *one == byte)?;
        (bits, count) = (bits << 6 | u32::try_from(digit).ok()?, count + 6);
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
        bits &= 0xff;
    }
    // A digit too many, or bits that are left over.
    (encode(&out) == text).then_some(out)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_are_written_as_others_write_them(bytes: Vec<u8>) {
            let text = super::encode(&bytes);
            prop_assert_eq!(&text, &URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(super::decode(&text), Some(bytes));
        }

        #[test]
        fn text_is_read_as_others_read_it(text in "[A-Za-z0-9_=+/-]{0,9}|.{0,9}") {
            prop_assert_eq!(super::decode(&text), URL_SAFE_NO_PAD.decode(&text).ok());
        }
    }
}
