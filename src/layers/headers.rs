//! Headers of every answer, and the Content-Security-Policy of a page.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::host;
use crate::config::PublicUrl;
use crate::hosts;
use crate::state::AppState;

pub(crate) const BUILD: HeaderName = HeaderName::from_static("x-flowdeck-build");

/// A random value, good for one answer.
#[derive(Debug, Clone)]
pub(crate) struct Nonce(String);

impl Nonce {
    pub(crate) fn new() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Scripts by nonce alone (`wasm-unsafe-eval` lets WebAssembly compile, and no text be evaluated),
/// no inline style, nothing from elsewhere, and nobody frames us.
pub(crate) fn policy(nonce: &Nonce) -> HeaderValue {
    let text = format!(
        "default-src 'none'; script-src 'nonce-{}' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        nonce.as_str()
    );
    HeaderValue::from_str(&text).unwrap_or_else(|_| CLOSED.clone())
}

/// For what is no page: nothing may run in it, wherever it is opened.
static CLOSED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");

pub(crate) async fn add(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let public = state.options.public_url.as_ref().is_some_and(PublicUrl::is_https);
    // A browser that is told so of localhost would keep to it for every other program there.
    let own = state.options.tls && host::authority(&request).is_some_and(|name| !hosts::is_here(name));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(build) = HeaderValue::from_str(state.options.assets.build()) {
        headers.insert(BUILD, build);
    }
    usual(headers);
    if public || own {
        headers
            .entry(header::STRICT_TRANSPORT_SECURITY)
            .or_insert(HeaderValue::from_static("max-age=31536000"));
    }
    response
}

fn usual(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert_with(|| CLOSED.clone());
    // What is true now may be kept by nobody, unless its handler said otherwise (assets).
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
