//! The bar on top of every page: which page, how fresh its data is, which cluster.

use flowdeck_model::{ClusterName, url};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::icons::LOGO;
use super::theme::ThemeSwitch;
use super::{account, clock, cluster};
use crate::live::{Contact, EXPIRED, REPLACED, Status};
use crate::site::{ClusterLink, Frame, use_frame};
use crate::{format, keys, links};

/// The cluster that the URL speaks of, or the only one there is.
fn current(frame: &Frame, path: &str) -> Option<ClusterLink> {
    let below = path.strip_prefix(frame.site.base).unwrap_or(path);
    let named: Option<ClusterName> = below
        .strip_prefix("/c/")
        .and_then(|rest| rest.split('/').next())
        .and_then(url::decode)
        .and_then(|name| name.parse().ok());
    match named {
        Some(name) => frame.clusters.iter().find(|cluster| cluster.name == name).cloned(),
        None if frame.clusters.len() == 1 => frame.clusters.first().cloned(),
        None => None,
    }
}

#[component]
pub(crate) fn Bar() -> impl IntoView {
    let frame = use_frame();
    let path = use_location().pathname;
    let first = frame.clusters.first().cloned();
    let clusters = frame.clone();
    let current = Memo::new(move |_| current(&clusters, &path.get()));
    let account = frame.account.clone();
    let base = frame.site.base;
    let in_part = move |part: &str| {
        path.with(|path| path.strip_prefix(base).unwrap_or(path).split('/').nth(3) == Some(part))
    };
    let of_fleet = move || !["topics", "audit", "brokers", "dead-letters"].into_iter().any(in_part);
    let signing_in = account.login.is_some();
    let page = move |here: bool| (here && !signing_in).then_some("page");
    let topics = move || {
        current.get().or_else(|| first.clone()).map(|cluster| {
            view! {
                <a href=links::topics(&cluster.name) aria-current=move || page(in_part("topics"))>"Topics"</a>
                <a href=links::audit(&cluster.name, "") rel="external" aria-current=move || page(in_part("audit"))>"Audit"</a>
            }
        })
    };
    view! {
        <header class="bar">
            <a class="brand" href=links::to("/")>
                <svg viewBox="0 0 24 24" aria-hidden="true" inner_html=LOGO></svg>
                <span>"Flowdeck"</span>
            </a>
            <nav aria-label="Pages">
                <a href=links::to("/") aria-current=move || page(of_fleet())>"Fleet"</a>
                {topics}
            </nav>
            <div class="end">
                <LiveState/>
                {move || current.get().map(|here| cluster::pill(here.label, here.colour))}
                <ThemeSwitch/>
                {account::who(&account)}
                <button type="button" class="keys-button needs-js" aria-label="Keys" title="Keys" on:click=move |_| keys::open()>
                    <kbd>"?"</kbd>
                </button>
            </div>
        </header>
    }
    .into_any()
}

/// What is true without scripts too: then the page does not update.
#[component]
fn LiveState() -> AnyView {
    let status = expect_context::<Status>();
    let site = use_frame().site;
    let scripts = site.pkg.is_some() && site.scripts;
    let class = move || match status.contact.get() {
        Contact::None => "live off",
        Contact::Opening => "live opening",
        Contact::Live => "live",
        Contact::Lost | Contact::Ended | Contact::Unreadable => "live lost",
    };
    let words = move || match status.contact.get() {
        Contact::None if scripts => "",
        Contact::None => "not live",
        Contact::Opening => "connecting",
        Contact::Live => "live",
        Contact::Lost => "connection lost",
        Contact::Ended => "ended",
        Contact::Unreadable => "stale",
    };
    view! {
        <span class=class role="status" hidden=move || words().is_empty()>{words}</span>
        <noscript class="muted">"not live without JavaScript: reload for newer data"</noscript>
    }
    .into_any()
}

/// Above the page: what the server warns of, a lost stream, a newer build.
#[component]
pub(crate) fn Banners() -> AnyView {
    let status = expect_context::<Status>();
    let warnings = use_frame().site.warnings;
    let expired =
        move || status.contact.get() == Contact::Ended && status.reason.with(|reason| reason == EXPIRED);
    let lost = move || match status.contact.get() {
        Contact::Lost => {
            let since = status.received_at.get().map(format::time::exact);
            let since = since.map(|since| ["Connection to Flowdeck lost at ", &since].concat());
            let since = since.unwrap_or_else(|| "Connection to Flowdeck lost".to_owned());
            Some(since + ". The data below is outdated; reconnecting automatically.")
        }
        Contact::Ended if expired() => None,
        Contact::Ended => {
            let reason = status.reason.get();
            if reason == REPLACED {
                return Some(
                    "More of your windows are visible than may be live at once, so this one is not updated. \
                     Click into it to make it live again."
                        .to_owned(),
                );
            }
            Some(["Flowdeck ended the live view: ", &reason, ". Reconnecting automatically."].concat())
        }
        _ => None,
    };
    let unreadable = move || {
        let since = status.received_at.get().map(format::time::exact);
        let of = since.map(|since| [" Last update: ", &since, "."].concat());
        (status.contact.get() == Contact::Unreadable).then_some(of)
    };
    view! {
        <div class="banners">
            {warnings.into_iter().map(|text| view! { <p class="banner warn">{text}</p> }).collect_view()}
            {move || lost().map(|text| view! { <p class="banner bad" role="status">{text}</p> })}
            {move || unreadable().map(|of| view! {
                <p class="banner bad" role="status">
                    "This page cannot decode the updates that Flowdeck sends, so its data is outdated." {of}
                    " Retrying automatically, less and less often; "
                    <a class="link" href="" rel="external">"reload"</a> " the page."
                </p>
            })}
            {move || expired().then(|| view! {
                <p class="banner bad" role="status">
                    "You are no longer signed in. The data below is outdated. "
                    <a class="link" href="" rel="external">"Sign in"</a> " to come back to this page."
                </p>
            })}
            {move || status.newer.get().then(|| view! {
                <p class="banner" role="status">
                    "A newer version of Flowdeck is running. " <a class="link" href="" rel="external">"Reload"</a> " when convenient."
                </p>
            })}
        </div>
    }
    .into_any()
}

/// When the data of a page was read.
pub(crate) fn updated(at: Option<flowdeck_model::Timestamp>) -> AnyView {
    match at {
        Some(at) => view! { <span class="muted">"updated " {clock::ago(at)} " ago"</span> }.into_any(),
        None => view! { <span class="muted">"no data yet"</span> }.into_any(),
    }
}
