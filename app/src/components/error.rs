//! A page that cannot show what was asked for: what was looked for, why it is not shown, what to do.

use flowdeck_model::PortError;
use flowdeck_model::error::ResourceKind;
use leptos::prelude::*;
use leptos_meta::Title;

use super::icons::{Icon, icon};
use crate::api::PageError;
use crate::{links, status};

struct Words {
    title: &'static str,
    what: String,
    todo: &'static str,
}

/// What is wrong, in one sentence.
pub(crate) fn text(error: &PageError) -> String {
    words(error).what
}

fn words(error: &PageError) -> Words {
    let port = match error {
        PageError::Port(port) => port,
        PageError::Unreachable => {
            return Words {
                title: "Flowdeck cannot be reached",
                what: "The server that this page came from does not respond.".to_owned(),
                todo: "Check that Flowdeck is running and that you are on its network, then try again.",
            };
        }
        PageError::Broken(detail) => {
            return Words {
                title: "Unexpected response",
                what: detail.clone(),
                todo: "Flowdeck may have been updated since this page was loaded: try again.",
            };
        }
        PageError::NoActor => {
            return Words {
                title: "Not signed in",
                what: "This page requires a signed-in user.".to_owned(),
                todo: "Sign in, then try again.",
            };
        }
    };
    let (title, todo) = match port {
        PortError::NotFound { what, .. } => (not_found(*what), "Names are case-sensitive."),
        PortError::Forbidden { .. } => {
            ("Not permitted", "Ask the administrator of this Flowdeck for the permission.")
        }
        PortError::Invalid { .. } => ("Invalid address", "Correct it, or start from the fleet."),
        PortError::Conflict { .. } => {
            ("Conflict with the current state", "Look at the current state, then decide again.")
        }
        PortError::ObserveMode { .. } => ("Flowdeck only observes this cluster", ""),
        PortError::Unprocessable { .. } => ("This cannot be done", ""),
        PortError::Unavailable { .. } => {
            ("The cluster does not respond", "Flowdeck keeps retrying; try again.")
        }
        #[cfg(not(target_family = "wasm"))]
        PortError::InDoubt { .. } => ("The outcome is not known", "Look at the operation's page."),
        PortError::PayloadsOff { .. } => ("Records are not shown", ""),
        PortError::TooMany { .. } => ("Too many requests", "Wait a moment, then try again."),
    };
    Words { title, what: capitalised(port.to_string()), todo }
}

fn not_found(what: ResourceKind) -> &'static str {
    match what {
        ResourceKind::Cluster => "No such cluster",
        ResourceKind::Group => "No such consumer group",
        ResourceKind::Topic => "No such topic",
        ResourceKind::Partition => "No such partition",
        ResourceKind::Command => "No such command",
        ResourceKind::Record => "No such record",
        ResourceKind::Page => "No such page",
    }
}

/// A capital at its start, a full stop at its end.
fn capitalised(text: String) -> String {
    let mut chars = text.chars();
    let mut out: String = match chars.next() {
        Some(first) => std::iter::once(first.to_ascii_uppercase()).chain(chars).collect(),
        None => return text,
    };
    if !out.ends_with(['.', '!', '?', '…']) {
        out.push('.');
    }
    out
}

/// The whole page; sets its HTTP status.
pub(crate) fn page(error: &PageError) -> AnyView {
    let words = words(error);
    status::set(error.status());
    view! {
        <Title text=words.title/>
        <section class="panel failed" role="alert">
            <span class="verdict bad">{icon(Icon::Bad)}</span>
            <div>
                <h1>{words.title}</h1>
                <p>{words.what}</p>
                <p class="muted">{words.todo}</p>
                <p class="actions">
                    <a class="btn" href="" rel="external">"Try again"</a>
                    <a class="btn" href=links::to("/")>"To the fleet"</a>
                </p>
            </div>
        </section>
    }
    .into_any()
}

/// In place of one part of a page that failed while the rest is shown.
pub(crate) fn part(error: &PageError) -> AnyView {
    let words = words(error);
    view! {
        <div class="empty" role="alert">
            <p><b>{words.title}</b></p>
            <p>{words.what}</p>
            <p class="muted">{words.todo} " " <a class="link" href="" rel="external">"Try again"</a></p>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_and_has_its_status() {
        let cluster = "demo".parse().unwrap();
        for (error, status, part) in [
            (
                PageError::Port(PortError::not_found(ResourceKind::Group, "a/b")),
                404,
                "There is no group \"a/b\".",
            ),
            (PageError::Port(PortError::invalid("limit", "a whole number")), 400, "Limit: a whole number."),
            (
                PageError::Port(PortError::Unavailable { cluster, detail: "no broker answers".into() }),
                503,
                "Cluster demo: no broker answers.",
            ),
            (PageError::NoActor, 401, "This page requires a signed-in user."),
        ] {
            let words = words(&error);
            assert_eq!((error.status(), words.what.as_str()), (status, part));
        }
    }
}
