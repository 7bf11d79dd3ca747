//! Masks a text of JSON, token by token.

use std::borrow::Cow;

use super::{MASKED, Mask, names};

/// Objects and lists in one another. What lies deeper is masked as a whole: its path is not followed.
const DEPTH_FOLLOWED: usize = 1_000;

pub(super) fn apply<'a>(mask: &Mask, text: &'a str) -> (Cow<'a, str>, usize) {
    let mut walk =
        Walk { mask, text, at: 0, out: String::new(), copied: 0, open: vec![], count: 0, broken: false };
    walk.run();
    let (count, is_broken) = (walk.count, walk.broken || !walk.open.is_empty());
    let masked = match count {
        0 => Cow::Borrowed(text),
        _ => {
            walk.out.push_str(&text[walk.copied..]);
            Cow::Owned(walk.out)
        }
    };
    if !is_broken {
        return (masked, count);
    }
    // What is no JSON as a whole is read as any other text, too.
    let (again, more) = mask.in_text(&masked);
    if more == 0 { (masked, count) } else { (Cow::Owned(again.into_owned()), count + more) }
}

/// An object with the name of its member that is being read, or a list.
enum Open<'a> {
    Object(Option<Cow<'a, str>>),
    List,
}

struct Walk<'m, 'a> {
    mask: &'m Mask,
    text: &'a str,
    at: usize,
    out: String,
    /// Up to here the text is in `out`.
    copied: usize,
    open: Vec<Open<'a>>,
    count: usize,
    /// More is closed than was opened.
    broken: bool,
}

impl<'a> Walk<'_, 'a> {
    fn run(&mut self) {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b':' => self.at += 1,
                b',' => {
                    if let Some(Open::Object(name)) = self.open.last_mut() {
                        *name = None;
                    }
                    self.at += 1;
                }
                b'}' | b']' => {
                    self.broken |= self.open.pop().is_none();
                    self.at += 1;
                }
                b'"' if self.is_name() => self.name(),
                _ => self.value(*byte),
            }
        }
    }

    fn is_name(&self) -> bool {
        matches!(self.open.last(), Some(Open::Object(None)))
    }

    fn name(&mut self) {
        let end = string_end(self.text, self.at);
        let name = content(&self.text[self.at..end]);
        self.at = end;
        if let Some(Open::Object(open)) = self.open.last_mut() {
            *open = Some(name);
        }
    }

    fn value(&mut self, byte: u8) {
        let begin = self.at;
        if self.is_masked() {
            self.skip();
            return self.put(begin, &["\"", MASKED, "\""].concat(), 1);
        }
        match byte {
            b'{' | b'[' => {
                self.open.push(if byte == b'{' { Open::Object(None) } else { Open::List });
                self.at += 1;
            }
            b'"' => {
                self.at = string_end(self.text, begin);
                let inner = content(&self.text[begin..self.at]);
                let (shown, count) = self.mask.in_text(&inner);
                if count > 0 {
                    let quoted =
                        serde_json::to_string(&*shown).unwrap_or_else(|_| ["\"", MASKED, "\""].concat());
                    self.put(begin, &quoted, count);
                }
            }
            _ => {
                self.skip();
                let (_, count) = self.mask.in_text(&self.text[begin..self.at]);
                if count > 0 {
                    self.put(begin, &["\"", MASKED, "\""].concat(), 1);
                }
            }
        }
    }

    fn put(&mut self, begin: usize, shown: &str, count: usize) {
        self.out.push_str(&self.text[self.copied..begin]);
        self.out.push_str(shown);
        self.copied = self.at;
        self.count += count;
    }

    fn is_masked(&self) -> bool {
        if self.open.len() >= DEPTH_FOLLOWED {
            return true;
        }
        let last = self.open.iter().rev().find_map(|open| match open {
            Open::Object(name) => Some(name.as_deref()),
            Open::List => None,
        });
        let Some(Some(last)) = last else { return false };
        if self.mask.usual && names::is_secret(&names::normal(last)) {
            return true;
        }
        if self.mask.paths.is_empty() {
            return false;
        }
        let names: Vec<&str> = self
            .open
            .iter()
            .filter_map(|open| match open {
                Open::Object(name) => Some(name.as_deref().unwrap_or_default()),
                Open::List => None,
            })
            .collect();
        self.mask.paths.iter().any(|path| path.matches(names.iter().copied()))
    }

    /// Past one value with all that is in it.
    fn skip(&mut self) {
        let bytes = self.text.as_bytes();
        let mut depth = 0usize;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => self.at = string_end(self.text, self.at),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return,
                b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' => self.at += 1,
                _ => {
                    let rest = &bytes[self.at..];
                    let is_end = |byte: &u8| b" \t\r\n,:\"{}[]".contains(byte);
                    self.at += rest.iter().position(is_end).unwrap_or(rest.len());
                }
            }
            if depth == 0 && !matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n' | b':')) {
                return;
            }
        }
    }
}

/// One past the closing quote, or the end of a text that was cut.
fn string_end(text: &str, begin: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(begin + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What a string of JSON says, escapes read.
fn content(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').unwrap_or(quoted);
    let inner = if quoted.len() > 1 { inner.strip_suffix('"').unwrap_or(inner) } else { inner };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    match serde_json::from_str::<String>(quoted) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(inner),
    }
}
