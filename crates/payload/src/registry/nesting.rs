//! How deeply the text of a Protobuf schema nests. Its parser goes down one call a level, so whoever may register a
//! schema could end the process by one of many brackets.

const LEVELS_MAX: usize = 64;

/// Brackets within brackets, without those of comments and texts.
pub(super) fn is_too_deep(proto: &str) -> bool {
    let bytes = proto.as_bytes();
    let (mut at, mut level) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => at = past(bytes, at + 2, b"\n"),
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = past(bytes, at + 2, b"*/"),
            b'#' => at = past(bytes, at + 1, b"\n"),
            quote @ (b'"' | b'\'') => at = past_text(bytes, at + 1, quote),
            b'{' | b'[' | b'<' | b'(' => {
                (at, level) = (at + 1, level + 1);
                if level > LEVELS_MAX {
                    return true;
                }
            }
            b'}' | b']' | b'>' | b')' => (at, level) = (at + 1, level.saturating_sub(1)),
            _ => at += 1,
        }
    }
    false
}

fn past(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let found = rest.windows(end.len()).position(|part| part == end);
    found.map_or(bytes.len(), |found| from + found + end.len())
}

/// A text ends on its line at the latest.
fn past_text(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'\n' => return at,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_of_comments_and_texts_do_not_count() {
        let many = "{".repeat(1_000);
        for text in [
            format!("// {many}\nmessage A {{}}"),
            format!("/* {many} */ message A {{}}"),
            format!("option x = \"\\\"{many}\"; message A {{}}"),
            format!("message A {{ {} }}", "map<string, int32> a = 1;".repeat(1_000)),
        ] {
            assert!(!is_too_deep(&text), "{text}");
        }
        for open in ["{", "[", "<", "message A { message B {"] {
            assert!(is_too_deep(&open.repeat(1_000)), "{open}");
        }
        assert!(is_too_deep(&format!("option x = \"\n{many}")));
    }
}
