//! Where a log-in leads: back to the page that asked for it, and never to another site.

/// A path and query below the base of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next(String);

/// In bytes: more than any page of ours needs.
const LONGEST: usize = 2_048;

impl Next {
    /// `base` is `""` or `/a/b`. `None`: not ours, or a place that must not follow a log-in.
    ///
    /// What a browser might read as another host (`//x`, `/\x`), what it would resolve (dot
    /// segments, also escaped ones) and what it would strip (control characters) is refused rather
    /// than repaired.
    pub fn parse(text: &str, base: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'<' | b'>' | b'"' | b'#');
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(plain) {
            return None;
        }
        let below = text.strip_prefix(base)?;
        let at_border =
            below.starts_with('/') || (!base.is_empty() && (below.is_empty() || below.starts_with('?')));
        if !at_border {
            return None;
        }
        let path = below.split('?').next().unwrap_or_default();
        // The first segment is what precedes the first slash: nothing.
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            let last = segments.peek().is_none();
            let dots = segment.to_ascii_lowercase().replace("%2e", ".");
            if (segment.is_empty() && !last) || matches!(dots.as_str(), "." | "..") {
                return None;
            }
            let escaped = segment.to_ascii_lowercase();
            if escaped.contains("%2f") || escaped.contains("%5c") {
                return None;
            }
        }
        let a_form = ["/login", "/logout", "/logout-everywhere"].contains(&path.trim_end_matches('/'));
        (!a_form).then(|| Self(text.to_owned()))
    }

    /// `next` where it is ours, else the fleet.
    pub fn or_home(text: Option<&str>, base: &str) -> Self {
        let home = || Self(if base.is_empty() { "/".to_owned() } else { base.to_owned() });
        text.and_then(|text| Self::parse(text, base)).unwrap_or_else(home)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The log-in page that leads back here.
    pub fn login(&self, base: &str) -> String {
        let home = self.0 == base || (base.is_empty() && self.0 == "/");
        if home {
            return format!("{base}/login");
        }
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", &self.0).finish();
        format!("{base}/login?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_stays_below_the_base() {
        for (text, base, ours) in [
            ("/kafkaflow", "/kafkaflow", true),
            ("/kafkaflow/", "/kafkaflow", true),
            ("/kafkaflow?q=a%20b&sort=-lag", "/kafkaflow", true),
            ("/kafkaflow/c/demo/groups/~L2E", "/kafkaflow", true),
            ("/kafkaflow/c/demo/topics/a?at=//evil.example", "/kafkaflow", true),
            ("/", "", true),
            ("/c/demo", "", true),
            ("", "/kafkaflow", false),
            ("", "", false),
            ("/kafkaflowers", "/kafkaflow", false),
            ("/other", "/kafkaflow", false),
            ("kafkaflow", "/kafkaflow", false),
            ("https://evil.example/kafkaflow", "/kafkaflow", false),
            ("//evil.example", "", false),
            ("//evil.example/kafkaflow", "/kafkaflow", false),
            ("/\\evil.example", "", false),
            ("/\t/evil.example", "", false),
            ("/\n/evil.example", "", false),
            ("/ /evil.example", "", false),
            ("/.//evil.example", "", false),
            ("/x/..//evil.example", "", false),
            ("/%2e%2E//evil.example", "", false),
            ("/%2f/evil.example", "", false),
            ("/%5cevil.example", "", false),
            ("javascript:alert(1)", "", false),
            ("?next=x", "", false),
            ("?x", "/kafkaflow", false),
            ("/kafkaflow//evil.example", "/kafkaflow", false),
            ("/kafkaflow/../other", "/kafkaflow", false),
            ("/kafkaflow/c/%2e%2e/%2E%2e/x", "/kafkaflow", false),
            ("/kafkaflow/\\evil", "/kafkaflow", false),
            ("/kafkaflow\r\nSet-Cookie: a=b", "/kafkaflow", false),
            ("/kafkaflow/\u{202e}", "/kafkaflow", false),
            ("/kafkaflow/a#b", "/kafkaflow", false),
            ("/kafkaflow/login", "/kafkaflow", false),
            ("/kafkaflow/login?next=/kafkaflow/login", "/kafkaflow", false),
            ("/kafkaflow/logout", "/kafkaflow", false),
            ("/kafkaflow/logout-everywhere/", "/kafkaflow", false),
        ] {
            assert_eq!(Next::parse(text, base).is_some(), ours, "{text:?} under {base:?}");
        }
        assert!(Next::parse(&format!("/{}", "a".repeat(LONGEST)), "").is_none());
    }

    #[test]
    fn next_round_trips_through_the_log_in() {
        let deep = "/kafkaflow/c/demo/groups/a?tab=members&x=1";
        let login = Next::parse(deep, "/kafkaflow").unwrap().login("/kafkaflow");
        let query = login.strip_prefix("/kafkaflow/login?").unwrap();
        let (key, value) = form_urlencoded::parse(query.as_bytes()).next().unwrap();
        assert_eq!((key.as_ref(), value.as_ref()), ("next", deep));
        assert_eq!(Next::or_home(Some("//evil"), "/kafkaflow").as_str(), "/kafkaflow");
        assert_eq!(Next::or_home(None, "").as_str(), "/");
        assert_eq!(Next::or_home(None, "").login(""), "/login");
        assert_eq!(Next::or_home(None, "/a").login("/a"), "/a/login");
    }
}
