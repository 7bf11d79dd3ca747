//! Cross-site requests. A page elsewhere can make a browser send forms and requests here, with the
//! user's cookies and from inside the user's network. What changes something is refused unless it comes
//! from our own pages, or from a program (which sends neither Origin nor Sec-Fetch-Site).

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, Method, StatusCode};

use super::host;
use crate::api::problem::Problem;
use crate::config::PublicUrl;
use crate::state::AppState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    /// Another site asks for a change.
    Change,
    /// Another site loads something of ours into its page.
    Embedding,
}

pub(crate) async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let asked = host::authority(&request);
    let verdict = judge(request.method(), request.headers(), asked, state.options.public_url.as_ref());
    let detail = match verdict {
        Verdict::Allowed => return next.run(request).await,
        Verdict::Change => "this change was asked for by another site's page, so it was not made",
        Verdict::Embedding => "another site's page may link here, but not load this into itself",
    };
    Problem::new(StatusCode::FORBIDDEN, "cross-site", detail).into_response()
}

/// A bearer token cannot be sent by a page of another site: browsers ask us first (CORS), and are not allowed.
fn is_bearer(headers: &HeaderMap) -> bool {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "))
}

fn judge(method: &Method, headers: &HeaderMap, host: Option<&str>, public: Option<&PublicUrl>) -> Verdict {
    if is_bearer(headers) {
        return Verdict::Allowed;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => Verdict::Allowed,
        // `same-site` too: a neighbour under the same domain is not us.
        Some(_) if !reads => Verdict::Change,
        Some(_) => match text("sec-fetch-mode") {
            None | Some("navigate") => Verdict::Allowed,
            Some(_) => Verdict::Embedding,
        },
        None if reads => Verdict::Allowed,
        None => match text(ORIGIN.as_str()) {
            None => Verdict::Allowed,
            Some(origin) if is_ours(origin, host, public) => Verdict::Allowed,
            Some(_) => Verdict::Change,
        },
    }
}

fn is_ours(origin: &str, host: Option<&str>, public: Option<&PublicUrl>) -> bool {
    if public.is_some_and(|public| public.origin().eq_ignore_ascii_case(origin)) {
        return true;
    }
    let (Some(host), Some((scheme, authority))) = (host, origin.split_once("://")) else { return false };
    let default = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        authority.strip_suffix(default).map_or(authority.clone(), str::to_owned)
    };
    bare(host) == bare(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_site_policy() {
        use Verdict::*;
        let public: PublicUrl = "https://ops.example".parse().unwrap();
        let (get, post) = (Method::GET, Method::POST);
        type Sent = &'static [(&'static str, &'static str)];
        let cases: &[(&Method, Sent, Verdict)] = &[
            (&post, &[], Allowed),
            (&post, &[("origin", "http://localhost:8077")], Allowed),
            (&post, &[("origin", "https://ops.example")], Allowed),
            (&post, &[("origin", "http://localhost:8078")], Change),
            (&post, &[("origin", "http://evil.example")], Change),
            (&post, &[("origin", "null")], Change),
            (&post, &[("origin", "http://ops.example")], Change),
            (&post, &[("sec-fetch-site", "same-origin")], Allowed),
            (&post, &[("sec-fetch-site", "none")], Allowed),
            (&post, &[("sec-fetch-site", "same-site")], Change),
            (&post, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], Change),
            (&post, &[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8077")], Change),
            (&post, &[("origin", "http://evil.example"), ("authorization", "Bearer x")], Allowed),
            (&post, &[("origin", "http://evil.example"), ("authorization", "Basic x")], Change),
            (&get, &[("origin", "http://evil.example")], Allowed),
            (&get, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], Allowed),
            (&get, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], Embedding),
            (&get, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")], Embedding),
        ];
        for (method, sent, want) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in *sent {
                headers
                    .insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            let got = judge(method, &headers, Some("localhost:8077"), Some(&public));
            assert_eq!(got, *want, "{method} {sent:?}");
        }
    }
}
