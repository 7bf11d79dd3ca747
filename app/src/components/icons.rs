//! Shapes. Each is beside a word and never replaces it, so they are hidden from screen readers.

use leptos::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    Bad,
    Warn,
    Hold,
    Ok,
    None,
    Search,
    Done,
    Wait,
    Resume,
    Auto,
    Sun,
    Moon,
    Info,
}

impl Icon {
    fn shape(self) -> &'static str {
        match self {
            Self::Bad => {
                r#"<path fill="currentColor" d="M5 1h6l4 4v6l-4 4H5l-4-4V5z"/><path stroke="var(--panel)" stroke-width="1.8" d="M8 4.2v4.6M8 10.6v1.4"/>"#
            }
            Self::Warn => {
                r#"<path fill="currentColor" d="M8 1.5 15.5 15H.5z"/><path stroke="var(--panel)" stroke-width="1.7" d="M8 6v4.4M8 12v1.3"/>"#
            }
            Self::Hold => r#"<path fill="currentColor" d="M3 2h3.6v12H3zM9.4 2H13v12H9.4z"/>"#,
            Self::Ok => r#"<circle cx="8" cy="8" r="3.2" fill="currentColor"/>"#,
            Self::None => {
                r#"<circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-dasharray="2.4 2.2" stroke-width="1.6"/>"#
            }
            Self::Search => {
                r#"<circle cx="7" cy="7" r="4.6" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="m10.5 10.5 4 4" stroke="currentColor" stroke-width="1.6"/>"#
            }
            Self::Done => {
                r#"<path d="m2.5 8.5 3.6 3.7 7.4-8" fill="none" stroke="currentColor" stroke-width="2"/>"#
            }
            Self::Wait => {
                r#"<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M8 4.6V8l2.4 1.6" fill="none" stroke="currentColor" stroke-width="1.6"/>"#
            }
            Self::Resume => r#"<path fill="currentColor" d="M4 2v12l9-6z"/>"#,
            Self::Auto => {
                r#"<circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.5"/><path fill="currentColor" d="M8 2.4a5.6 5.6 0 0 1 0 11.2z"/>"#
            }
            Self::Sun => {
                r#"<circle cx="8" cy="8" r="3" fill="none" stroke="currentColor" stroke-width="1.5"/><path stroke="currentColor" stroke-width="1.5" d="M8 .8v2M8 13.2v2M.8 8h2M13.2 8h2M2.9 2.9l1.4 1.4M11.7 11.7l1.4 1.4M2.9 13.1l1.4-1.4M11.7 4.3l1.4-1.4"/>"#
            }
            Self::Moon => {
                r#"<path fill="none" stroke="currentColor" stroke-width="1.5" d="M13.4 10A6 6 0 0 1 6 2.6 6 6 0 1 0 13.4 10z"/>"#
            }
            Self::Info => {
                r#"<circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.5"/><path stroke="currentColor" stroke-width="1.7" d="M8 7.2v4.2M8 4.4V6"/>"#
            }
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Done => "i done",
            Self::Wait => "i wait",
            _ => "i",
        }
    }
}

pub(crate) fn icon(icon: Icon) -> impl IntoView {
    view! { <svg class=icon.class() viewBox="0 0 16 16" aria-hidden="true" inner_html=icon.shape()></svg> }
}

pub(crate) const LOGO: &str = r#"<path d="M2 7c5 0 5 4 10 4s5-4 10-4M2 13c5 0 5 4 10 4s5-4 10-4" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"/>"#;
