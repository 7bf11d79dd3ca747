//! The browser's own doings: time, cookies, storage, the document. Called from effects and event
//! handlers only, which never run on the server.

use std::time::Duration;

use flowdeck_model::Timestamp;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

/// What `shell` wrote. `None` on the server.
pub(crate) fn site_json() -> Option<String> {
    #[cfg(target_family = "wasm")]
    return document().document_element()?.get_attribute("data-site");
    #[cfg(not(target_family = "wasm"))]
    None
}

/// Milliseconds of a clock that never jumps.
pub(crate) fn monotonic() -> Duration {
    let millis = window().performance().map(|clock| clock.now()).unwrap_or_default();
    Duration::from_millis(millis.max(0.0) as u64)
}

/// In the browser's zone: `14:08:57`, and before it the day where it is not today's (by `now`).
pub(crate) fn local_time(time: Timestamp, now: Timestamp) -> String {
    let date = |time: Timestamp| js_sys::Date::new(&JsValue::from_f64(time.millis() as f64));
    let (time, now) = (date(time), date(now));
    let clock = crate::format::time::clock(time.get_hours(), time.get_minutes(), time.get_seconds());
    let day = |date: &js_sys::Date| (date.get_full_year(), date.get_month() + 1, date.get_date());
    if day(&time) == day(&now) {
        return clock;
    }
    let (year, month, date) = day(&time);
    crate::format::time::dated(year, month, date, &clock)
}

/// Of the browser's zone: minutes east of UTC.
pub(crate) fn utc_offset() -> i32 {
    -(js_sys::Date::new_0().get_timezone_offset() as i32)
}

pub(crate) fn set_cookie(name: &str, value: &str, path: &str) {
    let https = window().location().protocol().is_ok_and(|scheme| scheme == "https:");
    if let Ok(document) = document().dyn_into::<web_sys::HtmlDocument>() {
        // Refused only in a sandbox; the theme then lasts as long as the page.
        let _ = document.set_cookie(&cookie(name, value, path, https));
    }
}

/// As the server sets it.
fn cookie(name: &str, value: &str, path: &str, https: bool) -> String {
    let path = if path.is_empty() { "/" } else { path };
    let secure = if https { "; Secure" } else { "" };
    format!("{name}={value}; path={path}; max-age=31536000; SameSite=Lax{secure}")
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

pub(crate) fn stored(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

/// Does nothing where the browser keeps nothing.
pub(crate) fn store(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, value);
    }
}

pub(crate) fn hidden() -> bool {
    document().hidden()
}

/// Sets or removes `data-theme` on `<html>`.
pub(crate) fn set_root_theme(theme: Option<&str>) {
    let Some(root) = document().document_element() else { return };
    let _ = match theme {
        Some(theme) => root.set_attribute("data-theme", theme),
        None => root.remove_attribute("data-theme"),
    };
}

/// Says that the page is taken over: tests wait for it, and the style sheet may.
pub(crate) fn mark_hydrated() {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-hydrated", "");
    }
}

/// Focus for who reads aloud or uses keys, without a jump of the page.
pub(crate) fn focus_quietly(selector: &str) {
    let Some(element) = element(selector) else { return };
    let options = web_sys::FocusOptions::new();
    options.set_prevent_scroll(true);
    let _ = element.focus_with_options(&options);
}

pub(crate) fn focus(selector: &str) -> bool {
    match element(selector) {
        Some(element) => element.focus().is_ok(),
        None => false,
    }
}

/// The page's URL as the browser has it.
pub(crate) fn address() -> Option<String> {
    window().location().href().ok()
}

/// Its query, with `?`.
pub(crate) fn query() -> Option<String> {
    window().location().search().ok()
}

/// How far down the page is scrolled, in pixels.
pub(crate) fn scrolled() -> f64 {
    window().scroll_y().unwrap_or_default()
}

/// What has just opened comes into view where it is not, and the focus into it: to the first of `targets` that takes it.
pub(crate) fn enter(part: &str, targets: &[&str]) {
    let Some(part) = element(part) else { return };
    let (place, bar) = (part.get_bounding_client_rect(), 48.0);
    let height = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or_default();
    if place.top() < bar || place.bottom() > height {
        part.scroll_into_view();
    }
    if let Some(target) = targets.iter().find(|target| element(target).is_some()) {
        focus_quietly(target);
    }
}

pub(crate) fn element(selector: &str) -> Option<web_sys::HtmlElement> {
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}

pub(crate) fn elements(selector: &str) -> Vec<web_sys::HtmlElement> {
    let Ok(found) = document().query_selector_all(selector) else { return vec![] };
    (0..found.length()).filter_map(|i| found.item(i)?.dyn_into().ok()).collect()
}

/// `false` where the browser has no clipboard (a plain http origin that is not loopback).
pub(crate) fn copy(text: &str) -> bool {
    let clipboard = window().navigator().clipboard();
    if clipboard.is_undefined() {
        return false;
    }
    let _ = clipboard.write_text(text);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_secure_under_https() {
        let plain = "theme=dark; path=/kafkaflow; max-age=31536000; SameSite=Lax";
        assert_eq!(cookie("theme", "dark", "/kafkaflow", false), plain);
        assert_eq!(cookie("theme", "dark", "/kafkaflow", true), format!("{plain}; Secure"));
        assert!(cookie("theme", "dark", "", true).contains("; path=/; "));
    }
}
