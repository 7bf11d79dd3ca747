//! One key, value or header as a reader may see it: decoded as they chose, masked, cut.

use crate::choice::Decoder;
use crate::decode::{Decoded, Kind, Part, Problem, Source, decode};
use crate::mask::{MARGIN, MASKED, Mask};
use crate::registry;
use crate::text::cut;

/// How the payloads of one topic are shown to one reader.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// The configuration's.
    pub usual: Decoder,
    /// The reader's own choice.
    pub chosen: Option<Decoder>,
}

impl How {
    pub fn decoder(&self) -> &Decoder {
        self.chosen.as_ref().unwrap_or(&self.usual)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub decoded: Decoded,
    /// How often something was masked.
    pub masked: usize,
}

/// `bytes` may be only the beginning of `size` bytes. At most `shown` bytes of text are made of them.
///
/// Another decoder must show nothing that the usual one would mask (a password in hexadecimal): where the usual one
/// masks, it is the one that is used.
pub fn show(
    source: &Source<'_>,
    bytes: Option<&[u8]>,
    size: usize,
    how: &How,
    mask: &Mask,
    shown: usize,
) -> Shown {
    if mask.is_none() {
        return Shown { decoded: decode(source, bytes, size, how.decoder(), shown), masked: 0 };
    }
    let masked = |decoder: &Decoder| {
        let decoded = decode(source, bytes, size, decoder, shown.saturating_add(MARGIN));
        apply(source.part, decoded, mask, shown)
    };
    let usual = masked(&how.usual);
    let Some(chosen) = how.chosen.as_ref().filter(|chosen| **chosen != how.usual) else { return usual };
    if usual.masked == 0 {
        return masked(chosen);
    }
    let problem = Problem {
        decoder: "Masking".to_owned(),
        at: None,
        why: "values are masked in it, so it is shown by its usual decoder only".to_owned(),
    };
    Shown { decoded: Decoded { problem: Some(problem), ..usual.decoded }, ..usual }
}

fn apply(part: Part, decoded: Decoded, mask: &Mask, shown: usize) -> Shown {
    let is_json = decoded.kind == Kind::Json || decoded.text.trim_start().starts_with(['{', '[']);
    let hides = part == Part::Value && mask.needs_json() && !is_json;
    if hides && decoded.kind != Kind::Null && !decoded.text.is_empty() {
        let hidden = "fields of this topic are masked, and this value could not be read as JSON to mask them";
        // What other decoders say may repeat a part of it.
        let why = match decoded.problem {
            Some(problem) if problem.decoder == registry::LABEL => [hidden, ": ", &problem.why].concat(),
            _ => hidden.to_owned(),
        };
        let problem = Problem { decoder: "Masking".to_owned(), at: None, why };
        let decoded =
            Decoded { kind: Kind::Text, text: MASKED.to_owned(), problem: Some(problem), ..decoded };
        return Shown { decoded, masked: 1 };
    }
    let (text, masked) = mask.apply(&decoded.text);
    let kept = cut(&text, shown);
    let is_cut = decoded.cut || kept.len() < text.len();
    let text = kept.to_owned();
    Shown { decoded: Decoded { text, cut: is_cut, ..decoded }, masked }
}
