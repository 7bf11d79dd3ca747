//! JSON laid out and marked for the eye, token by token, so that it shows what was sent: numbers
//! keep their digits, doubled keys stay, and what is cut or broken is shown as far as it goes.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Key,
    Text,
    Number,
    /// `true`, `false`, `null`.
    Word,
}

impl Kind {
    /// The class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Key => "k",
            Self::Text => "s",
            Self::Number => "n",
            Self::Word => "w",
        }
    }
}

/// Longer texts are laid out without colours: each coloured token is an element of the page.
const COLOURED_MAX: usize = 32 * 1024;
/// Deeper levels are no longer indented.
const INDENT_MAX: usize = 40;
/// Line breaks and indentation for each byte of the text, and as many again for a short one. A hostile text
/// would grow by eighty times: what comes after stays as it was sent.
const GROWTH: usize = 4;
const GROWTH_OF_ANY: usize = 16 * 1024;

/// The text in pieces, in order.
pub(crate) fn pieces(json: &str) -> Vec<(Kind, String)> {
    let space = json.len() * GROWTH + GROWTH_OF_ANY;
    let mut out = Layout { pieces: vec![], depth: 0, space, coloured: json.len() <= COLOURED_MAX };
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &json[at..];
        if out.space == 0 {
            out.put(Kind::Plain, rest);
            break;
        }
        at += match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' => 1,
            b'{' | b'[' => out.open(rest),
            b'}' | b']' => out.close(&rest[..1]),
            b',' => out.comma(),
            b':' => out.put(Kind::Plain, ": "),
            b'"' => out.text(rest),
            _ => out.word(rest),
        };
    }
    out.pieces
}

struct Layout {
    pieces: Vec<(Kind, String)>,
    depth: usize,
    /// Bytes of layout that may still be added.
    space: usize,
    coloured: bool,
}

impl Layout {
    /// Returns 1: all callers read one byte of the source.
    fn put(&mut self, kind: Kind, text: &str) -> usize {
        let kind = if self.coloured { kind } else { Kind::Plain };
        match self.pieces.last_mut() {
            Some((last, piece)) if *last == kind => piece.push_str(text),
            _ => self.pieces.push((kind, text.to_owned())),
        }
        1
    }

    fn line(&mut self) {
        let indent = "  ".repeat(self.depth.min(INDENT_MAX));
        self.put(Kind::Plain, "\n");
        self.put(Kind::Plain, &indent);
        self.space = self.space.saturating_sub(indent.len() + 1);
    }

    /// An empty object or array stays on its line.
    fn open(&mut self, rest: &str) -> usize {
        let close = if rest.starts_with('{') { '}' } else { ']' };
        let inner = rest[1..].trim_start_matches([' ', '\t', '\r', '\n']);
        if inner.starts_with(close) {
            self.put(Kind::Plain, &rest[..1]);
            self.put(Kind::Plain, &inner[..1]);
            return rest.len() - inner.len() + 1;
        }
        self.put(Kind::Plain, &rest[..1]);
        self.depth += 1;
        self.line();
        1
    }

    fn close(&mut self, bracket: &str) -> usize {
        self.depth = self.depth.saturating_sub(1);
        self.line();
        self.put(Kind::Plain, bracket)
    }

    fn comma(&mut self) -> usize {
        self.put(Kind::Plain, ",");
        self.line();
        1
    }

    fn text(&mut self, rest: &str) -> usize {
        let end = string_end(rest);
        let after = rest[end..].trim_start_matches([' ', '\t', '\r', '\n']);
        let kind = if after.starts_with(':') { Kind::Key } else { Kind::Text };
        self.put(kind, &rest[..end]);
        end
    }

    fn word(&mut self, rest: &str) -> usize {
        let end = rest.find([' ', '\t', '\r', '\n', ',', ':', '"', '{', '}', '[', ']']).unwrap_or(rest.len());
        let word = &rest[..end];
        let kind = match word {
            "true" | "false" | "null" => Kind::Word,
            _ if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Kind::Number,
            _ => Kind::Plain,
        };
        self.put(kind, word);
        end
    }
}

/// One past the closing quote, or the end of a text that was cut.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (i, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(json: &str) -> String {
        pieces(json).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn lays_out_what_was_sent() {
        for (json, want) in [
            ("{}", "{}"),
            ("[ ]", "[]"),
            (r#"{"a":1}"#, "{\n  \"a\": 1\n}"),
            (r#"[1.50,{"b":[]},null]"#, "[\n  1.50,\n  {\n    \"b\": []\n  },\n  null\n]"),
            // A key in a string, an escaped quote.
            (r#"{"a":"x\":,{"}"#, "{\n  \"a\": \"x\\\":,{\"\n}"),
            // Cut in the middle, broken.
            (r#"{"a":"unfini"#, "{\n  \"a\": \"unfini"),
            (r#"{"a":NaN}}"#, "{\n  \"a\": NaN\n}\n}"),
            ("\"ü🦀", "\"ü🦀"),
            ("", ""),
        ] {
            assert_eq!(laid_out(json), want, "{json}");
        }
    }

    #[test]
    fn marks_keys_and_values() {
        let kinds: Vec<(Kind, String)> = pieces(r#"{"k":"s","n":-1,"w":true}"#)
            .into_iter()
            .filter(|(kind, _)| *kind != Kind::Plain)
            .collect();
        let want = [
            (Kind::Key, "\"k\""),
            (Kind::Text, "\"s\""),
            (Kind::Key, "\"n\""),
            (Kind::Number, "-1"),
            (Kind::Key, "\"w\""),
            (Kind::Word, "true"),
        ];
        assert_eq!(kinds, want.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn a_deep_text_stays_small() {
        for hostile in ["[".repeat(100_000), ["[".repeat(50), ",".repeat(1_000_000)].concat()] {
            let shown = laid_out(&hostile);
            assert!(shown.len() < hostile.len() * (GROWTH + 1) + GROWTH_OF_ANY + 200, "{}", shown.len());
            assert_eq!(shown.replace([' ', '\n'], ""), hostile, "nothing is lost");
        }
    }
}
