//! JSON that folds: each object and list in a `<details>`, so that it works without JavaScript. Its text is that of the
//! lines, whatever is folded.

use flowdeck_model::shown;
use leptos::prelude::*;

use crate::format::json::Kind;

type Pieces = Vec<(Kind, String)>;

/// Deeper ones do not fold: each level is an element within another.
const LEVELS: usize = 30;
/// More lines are not folded: each is an element of the page.
const LINES: usize = 2_000;

/// What was opened and not closed: its first line, and what is in it.
struct Open {
    line: Pieces,
    inner: Vec<AnyView>,
}

pub(super) fn view(pieces: Pieces) -> AnyView {
    let lines = lines(pieces);
    if lines.len() > LINES {
        return lines.into_iter().map(|line| shown_line(line, "\n")).collect_view().into_any();
    }
    let (mut open, mut top): (Vec<Open>, Vec<AnyView>) = (vec![], vec![]);
    // Brackets that were opened too deep to fold.
    let mut unfolded = 0usize;
    for line in lines {
        let (opens, closes) = (ends_with_open(&line), begins_with_close(&line));
        if opens && open.len() < LEVELS {
            open.push(Open { line, inner: vec![] });
            continue;
        }
        if closes
            && unfolded == 0
            && let Some(closed) = open.pop()
        {
            let folded = fold(closed, Some(line));
            open.last_mut().map_or(&mut top, |outer| &mut outer.inner).push(folded);
            continue;
        }
        unfolded = match (opens, closes) {
            (true, _) => unfolded + 1,
            (_, true) => unfolded.saturating_sub(1),
            _ => unfolded,
        };
        open.last_mut().map_or(&mut top, |outer| &mut outer.inner).push(shown_line(line, "\n"));
    }
    // Of a text that was cut.
    while let Some(cut) = open.pop() {
        let folded = fold(cut, None);
        open.last_mut().map_or(&mut top, |outer| &mut outer.inner).push(folded);
    }
    top.collect_view().into_any()
}

fn fold(open: Open, close: Option<Pieces>) -> AnyView {
    let close = close.map(|line| shown_line(line, "\n"));
    view! { <details open><summary>{shown_line(open.line, "\n")}</summary>{open.inner.collect_view()}</details>{close} }
        .into_any()
}

fn lines(pieces: Pieces) -> Vec<Pieces> {
    let mut lines = vec![Pieces::new()];
    for (kind, text) in pieces {
        if kind != Kind::Plain {
            lines.last_mut().into_iter().for_each(|line| line.push((kind, text.clone())));
            continue;
        }
        for (place, part) in text.split('\n').enumerate() {
            if place > 0 {
                lines.push(Pieces::new());
            }
            if !part.is_empty() {
                lines.last_mut().into_iter().for_each(|line| line.push((kind, part.to_owned())));
            }
        }
    }
    lines
}

fn ends_with_open(line: &Pieces) -> bool {
    line.last().is_some_and(|(kind, text)| *kind == Kind::Plain && text.ends_with(['{', '[']))
}

fn begins_with_close(line: &Pieces) -> bool {
    line.first().is_some_and(|(kind, text)| *kind == Kind::Plain && text.trim_start().starts_with(['}', ']']))
}

fn shown_line(line: Pieces, end: &'static str) -> AnyView {
    let pieces = line.into_iter().map(|(kind, text)| match kind {
        Kind::Plain => shown::text(&text).into_any(),
        kind => view! { <span class=kind.class()>{shown::text(&text)}</span> }.into_any(),
    });
    view! { {pieces.collect_view()} {end} }.into_any()
}
