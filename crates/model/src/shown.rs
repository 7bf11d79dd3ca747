//! What others wrote, as it is shown: names, reasons, payloads. Characters that a reader cannot see, or that
//! change what the reader sees (controls, terminal escapes, overrides of the writing direction, invisible letters,
//! towers of accents), are written out as `‹U+202E›`, so that two different texts never look the same by
//! them and none looks like something else. What is data stays as it is: links, forms, the API and a copy to
//! the clipboard carry the text itself.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Accents on one letter that are shown; more reach into the lines above and below.
const ACCENTS: usize = 4;

/// On one line: a line break is marked too.
pub fn name(text: &str) -> String {
    shown(text, false)
}

/// Line breaks and tabs are what they are.
pub fn text(text: &str) -> String {
    shown(text, true)
}

fn shown(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut before, mut accents, mut turns) = (' ', 0, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        accents = if is_accent(c) { accents + 1 } else { 0 };
        turns |= is_right_to_left(c);
        let breaks = lines && (matches!(c, '\n' | '\t') || (c == '\r' && chars.peek() == Some(&'\n')));
        let joins = is_joiner(c) && before >= '\u{600}';
        if breaks || joins || !(is_hidden(c) || accents > ACCENTS) {
            out.push(c);
        } else {
            mark(&mut out, c);
        }
        before = c;
    }
    // A text that runs from right to left stays in its place: alone it would carry its neighbours along.
    if turns { ["\u{2068}", &out, "\u{2069}"].concat() } else { out }
}

/// One line of a log: a break, a terminal escape or an override of the writing direction in it is written out,
/// so that no name forges a second line. `coloured`: the log's own escapes colour a terminal and stay; it has
/// written out those of others.
pub fn log_line(line: &str, coloured: bool) -> Cow<'_, str> {
    let strange = |c: char| is_hidden(c) && !(coloured && c == '\u{1b}');
    let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
    if !body.contains(strange) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 64);
    for c in body.chars() {
        if strange(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out + end)
}

fn mark(out: &mut String, c: char) {
    // A string takes whatever is written to it.
    let _ = write!(out, "‹U+{:04X}›", u32::from(c));
}

/// A character that leaves no mark of its own, or moves others.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Joins the letters of several scripts and the parts of a pictogram. After a Latin letter it hides.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
}

fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{e31}' | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// `3 min 20 s`: the two largest units, whole ones.
pub fn span(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    let two = |big: u64, big_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// `1,240,113`
pub fn exact(number: u64) -> String {
    grouped(&number.to_string())
}

/// Thousands apart.
pub fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        for (written, want) in [
            ("payments", "payments"),
            ("päyments 🦀 中文", "päyments 🦀 中文"),
            ("a\u{202e}gnp.exe", "a‹U+202E›gnp.exe"),
            ("\u{1b}[31mred", "‹U+001B›[31mred"),
            ("a\nb\tc\0", "a‹U+000A›b‹U+0009›c‹U+0000›"),
            ("pay\u{200b}ments", "pay‹U+200B›ments"),
            ("pay\u{200d}ments", "pay‹U+200D›ments"),
            ("\u{feff}a\u{ad}", "‹U+FEFF›a‹U+00AD›"),
            ("\u{e0061}", "‹U+E0061›"),
            // Joined pictograms stay whole.
            ("👩\u{200d}💻 ❤\u{fe0f}", "👩\u{200d}💻 ❤\u{fe0f}"),
            ("e\u{301}", "e\u{301}"),
            ("שלום", "\u{2068}שלום\u{2069}"),
            ("", ""),
        ] {
            assert_eq!(name(written), want);
        }
        assert_eq!(text("a\nb\tc\r\nd\re"), "a\nb\tc\r\nd‹U+000D›e");
    }

    #[test]
    fn a_line_of_a_log_is_one_line() {
        for (line, want) in [
            ("plain ü\n", "plain ü\n"),
            ("no end", "no end"),
            ("a\nforged\n", "a\\nforged\n"),
            ("a\r\u{1b}[2J\u{202e}\u{9b}\n", "a\\r\\u{1b}[2J\\u{202e}\\u{9b}\n"),
        ] {
            assert_eq!(log_line(line, false), want);
        }
        assert_eq!(log_line("\u{1b}[31mWARN\u{1b}[0m a\nb\n", true), "\u{1b}[31mWARN\u{1b}[0m a\\nb\n");
    }

    #[test]
    fn accents_build_no_towers() {
        let tower = ["z", &"\u{336}".repeat(50)].concat();
        assert_eq!(name(&tower).matches('\u{336}').count(), ACCENTS);
    }

    proptest! {
        #[test]
        fn nothing_hides_and_what_is_plain_stays(written in "\\PC{0,20}|(?s:.{0,20})") {
            let shown = name(&written);
            let hides = |c: char| is_hidden(c) && !is_joiner(c) && !matches!(c, '\u{2068}' | '\u{2069}');
            prop_assert!(!shown.contains(hides));
            if written.is_ascii() && !written.contains(|c: char| c.is_control()) {
                prop_assert_eq!(shown, written);
            }
        }
    }
}
