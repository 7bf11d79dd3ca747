//! Names of groups, topics and instances: up to 249 characters, and the end tells them apart as much as the beginning.

use leptos::prelude::*;

/// A shorter one fits nearly everywhere; where it does not, its end is cut.
const LONG: usize = 16;
const TAIL: usize = 8;
/// In a heading there is space for more.
const LONG_HEADING: usize = 80;

/// Cut in its middle where there is no space for it: CSS cuts between the head and the tail. The
/// whole is the element's text, so that it is what a selection copies and a reader speaks, and its title.
pub(crate) fn cut(name: String) -> AnyView {
    cut_from(name, LONG)
}

pub(crate) fn heading(name: String) -> AnyView {
    cut_from(name, LONG_HEADING)
}

fn cut_from(name: String, long: usize) -> AnyView {
    let Some(at) = tail(&name, long) else { return name.into_any() };
    let (head, tail) = (name[..at].to_owned(), name[at..].to_owned());
    let shown = tail.clone();
    view! { <span class="mid" title=name data-tail=shown><span>{head}<span>{tail}</span></span></span> }
        .into_any()
}

/// Where the last characters of a long name begin.
fn tail(name: &str, long: usize) -> Option<usize> {
    name.char_indices().nth(long)?;
    name.char_indices().rev().nth(TAIL - 1).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_long_name_is_its_last_characters() {
        assert_eq!(tail("sixteen in all..", LONG), None);
        let at = |name: &str| tail(name, LONG).map(|at| name[at..].to_owned());
        assert_eq!(at("seventeen in all.").as_deref(), Some(" in all."));
        assert_eq!(at(&"ü".repeat(30)).as_deref(), Some("üüüüüüüü"));
    }
}
