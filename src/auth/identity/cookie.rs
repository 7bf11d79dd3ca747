//! The session's cookie: one name, one place, never readable by scripts.
//!
//! `SameSite=Lax`, not `Strict`: a link in a chat or an alert must open the page for who is signed
//! in; changes are guarded by the Origin check. No `Max-Age`: the server alone says when a session
//! ends. Under https the name has a prefix that browsers enforce: `__Host-` where there is no base
//! path (it demands `Path=/`), else `__Secure-`. So a page of a neighbour host, or one over plain
//! http, cannot plant a session of its own choice.

use cookie::Cookie;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use tower_sessions::session::Id;

const NAME: &str = "flowdeck_session";

#[derive(Debug, Clone)]
pub struct CookieScope {
    name: String,
    /// `Path=…; HttpOnly; SameSite=Lax`, with `Secure` under https.
    attributes: String,
}

impl CookieScope {
    /// `base` is `""` or `/a/b`; `https` tells how browsers reach the server.
    pub fn new(base: &str, https: bool) -> Self {
        let prefix = match (https, base) {
            (false, _) => "",
            (true, "") => "__Host-",
            (true, _) => "__Secure-",
        };
        let path = if base.is_empty() { "/" } else { base };
        let secure = if https { "; Secure" } else { "" };
        Self {
            name: format!("{prefix}{NAME}"),
            attributes: format!("Path={path}; HttpOnly; SameSite=Lax{secure}"),
        }
    }

    /// The session that a request names. With two cookies of our name, one was planted by somebody
    /// else, and nothing tells which: then none counts.
    pub(in crate::auth) fn read(&self, headers: &HeaderMap) -> Option<Id> {
        let mut found = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .filter(|cookie| cookie.name() == self.name);
        let session = found.next()?;
        if found.next().is_some() {
            return None;
        }
        session.value().parse().ok()
    }

    pub(in crate::auth) fn set(&self, id: &Id) -> HeaderValue {
        self.value(&format!("{}={id}; {}", self.name, self.attributes))
    }

    pub(in crate::auth) fn clear(&self) -> HeaderValue {
        self.value(&format!("{}=; Max-Age=0; {}", self.name, self.attributes))
    }

    /// A base path holds letters, digits and `._-/` only, and an id is base64url.
    fn value(&self, text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn cookie_depends_on_base_and_scheme() {
        let id = Id::default();
        for (base, https, want) in [
            ("/kafkaflow", false, format!("flowdeck_session={id}; Path=/kafkaflow; HttpOnly; SameSite=Lax")),
            (
                "/kafkaflow",
                true,
                format!("__Secure-flowdeck_session={id}; Path=/kafkaflow; HttpOnly; SameSite=Lax; Secure"),
            ),
            ("", true, format!("__Host-flowdeck_session={id}; Path=/; HttpOnly; SameSite=Lax; Secure")),
            ("", false, format!("flowdeck_session={id}; Path=/; HttpOnly; SameSite=Lax")),
        ] {
            assert_eq!(CookieScope::new(base, https).set(&id), want, "{base} {https}");
        }
        let cleared = CookieScope::new("", false).clear();
        assert_eq!(cleared, "flowdeck_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn cookie_is_read() {
        let (id, other) = (Id::default(), Id::default());
        let scope = CookieScope::new("/kafkaflow", false);
        let cookie = format!("flowdeck_session={id}");
        for (sent, want) in [
            (vec![], None),
            (vec!["flowdeck_theme=dark".to_owned()], None),
            (vec![cookie.clone()], Some(id)),
            (vec![format!("a=b; {cookie}; c=d")], Some(id)),
            (vec!["a=b".to_owned(), cookie.clone()], Some(id)),
            (vec![format!("{cookie}; flowdeck_session={other}")], None),
            (vec![cookie.clone(), cookie.clone()], None),
            (vec!["flowdeck_session=".to_owned()], None),
            (vec!["flowdeck_session=not-an-id".to_owned()], None),
            (vec![format!("__Host-flowdeck_session={id}")], None),
        ] {
            let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
            assert_eq!(scope.read(&headers(&sent)), want, "{sent:?}");
        }
        // Under https a cookie without the prefix is nothing: plain http could have set it.
        assert_eq!(CookieScope::new("/kafkaflow", true).read(&headers(&[&cookie])), None);
    }
}
