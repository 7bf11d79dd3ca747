//! Cuts what an operation carries to what every reader takes.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

/// The first `max` characters; `…` replaces the rest.
pub(super) fn text(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

/// At most `count`, each of at most `max` characters.
pub(super) fn notes(notes: &mut Vec<String>, count: usize, max: usize) {
    notes.truncate(count);
    for note in notes {
        if let Cow::Owned(cut) = text(note, max) {
            *note = cut;
        }
    }
}

/// At most `max` bytes, the `…` for the rest included.
pub(super) fn name(name: &str, max: usize) -> Cow<'_, str> {
    if name.len() <= max {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("{}…", &name[..name.floor_char_boundary(max - '…'.len_utf8())]))
}

/// The first of `items` as JSON, as many as take at most `space` bytes; takes these from `space`.
pub(super) fn fitting<T: Serialize>(
    items: impl IntoIterator<Item = T>,
    space: &mut usize,
) -> Vec<Box<RawValue>> {
    let mut fitting = Vec::new();
    for item in items {
        let json = serde_json::value::to_raw_value(&item).expect("strings, integers and lists serialise");
        // And a comma.
        let Some(left) = space.checked_sub(json.get().len() + 1) else { break };
        *space = left;
        fitting.push(json);
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_characters() {
        for (given, max, want) in [("", 0, ""), ("a🦀b", 3, "a🦀b"), ("a🦀b", 2, "a🦀…"), ("ab", 0, "…")]
        {
            assert_eq!(text(given, max), want);
        }
        for (given, max, want) in [("a🦀b", 6, "a🦀b"), ("a🦀bc", 6, "a…"), ("🦀🦀🦀", 7, "🦀…")]
        {
            assert_eq!(name(given, max), want);
            assert!(name(given, max).len() <= max);
        }
    }

    #[test]
    fn lists_end_where_the_space_ends() {
        let mut space = "1,22,".len();
        let texts: Vec<_> = fitting([1, 22, 3], &mut space).iter().map(|it| it.get().to_owned()).collect();
        assert_eq!((texts, space), (vec!["1".to_owned(), "22".to_owned()], 0));
    }
}
