//! Text in its encoding, and bytes in hexadecimal.

use std::fmt::Write as _;

use encoding_rs::Encoding;

/// `text` with bytes that are not UTF-8 as `\xNN`.
pub(crate) struct Text {
    pub(crate) text: String,
    /// It ends before the bytes do.
    pub(crate) cut: bool,
}

/// Bytes at the end that begin a character and do not end it.
pub(crate) fn torn_end(bytes: &[u8]) -> usize {
    let is_torn = |length: &usize| {
        let end = bytes.len().checked_sub(*length).map(|start| std::str::from_utf8(&bytes[start..]));
        matches!(end, Some(Err(error)) if error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=3).find(is_torn).unwrap_or(0)
}

/// How many bytes are not UTF-8, where it is text to a person all the same: control characters are the
/// exception, as in a line that colours a terminal (a page writes them out, `model::shown`), and so are bytes
/// of another encoding. `None`: it is no text.
pub(crate) fn bad_bytes_of_text(bytes: &[u8]) -> Option<usize> {
    let strange = |c: &char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let (mut controls, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        controls += chunk.valid().chars().filter(strange).count();
        bad += chunk.invalid().len();
    }
    let length = bytes.len().max(1);
    (controls * 4 < length && (controls + bad) * 3 < length).then_some(bad)
}

pub(crate) fn bad_bytes(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum()
}

/// At most `most` bytes of text.
pub(crate) fn escaped(bytes: &[u8], most: usize) -> Text {
    let mut text = String::with_capacity(bytes.len().min(most));
    for chunk in bytes.utf8_chunks() {
        let part = cut(chunk.valid(), most - text.len());
        text.push_str(part);
        if part.len() < chunk.valid().len() {
            return Text { text, cut: true };
        }
        for byte in chunk.invalid() {
            if text.len() + "\\xff".len() > most {
                return Text { text, cut: true };
            }
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    Text { text, cut: false }
}

/// In an encoding that is not UTF-8. `Err`: the byte from which on it is none of that encoding.
pub(crate) fn in_encoding(bytes: &[u8], encoding: &'static Encoding, most: usize) -> Result<Text, usize> {
    // No encoding has more than three bytes of UTF-8 for each of its own.
    let read = &bytes[..bytes.len().min(most.saturating_mul(4))];
    let mut decoder = encoding.new_decoder();
    let mut text = String::with_capacity(most.min(read.len() * 3) + 16);
    let last = read.len() == bytes.len();
    let (result, used) = decoder.decode_to_string_without_replacement(read, &mut text, last);
    match result {
        encoding_rs::DecoderResult::Malformed(bad, after) => {
            Err(used.saturating_sub(usize::from(bad) + usize::from(after)))
        }
        result => {
            let is_all = last && result == encoding_rs::DecoderResult::InputEmpty;
            let length = cut(&text, most).len();
            let ends_early = !is_all || length < text.len();
            text.truncate(length);
            Ok(Text { text, cut: ends_early })
        }
    }
}

/// The beginning of a text, between characters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
