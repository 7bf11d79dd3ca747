//! KafkaFlow's routes. As ASP.NET's they take their words in any case and with a slash at the end; names are taken as
//! they are. A request for one goes on under its canonical path, so that the router needs to know no other.

use axum::extract::{Request, State};
use http::Uri;
use http::uri::PathAndQuery;

use crate::state::AppState;

macro_rules! routes {
    ($($name:ident $pattern:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Route { $($name,)* }

        impl Route {
            pub(super) const ALL: [Self; [$($pattern),*].len()] = [$(Self::$name,)*];

            /// Below the base.
            pub(super) fn pattern(self) -> &'static str {
                match self { $(Self::$name => $pattern,)* }
            }
        }
    };
}

routes! {
    Groups "/groups",
    Consumers "/groups/{group}/consumers",
    Consumer "/groups/{group}/consumers/{consumer}",
    GroupPause "/groups/{group}/pause",
    GroupResume "/groups/{group}/resume",
    ConsumerPause "/groups/{group}/consumers/{consumer}/pause",
    ConsumerResume "/groups/{group}/consumers/{consumer}/resume",
    ConsumerStart "/groups/{group}/consumers/{consumer}/start",
    ConsumerStop "/groups/{group}/consumers/{consumer}/stop",
    ConsumerRestart "/groups/{group}/consumers/{consumer}/restart",
    ConsumerReset "/groups/{group}/consumers/{consumer}/reset-offsets",
    ConsumerRewind "/groups/{group}/consumers/{consumer}/rewind-offsets-to-date",
    ConsumerWorkers "/groups/{group}/consumers/{consumer}/change-worker-count",
    Telemetry "/telemetry",
    DashboardTelemetry "/consumers/telemetry",
    DashboardPause "/consumers/{consumer}/topics/{topic}/pause",
    DashboardResume "/consumers/{consumer}/topics/{topic}/resume",
    DashboardReset "/consumers/{consumer}/topics/{topic}/reset",
    DashboardRewind "/consumers/{consumer}/topics/{topic}/rewind/{date}",
    DashboardStart "/consumers/{consumer}/start",
    DashboardStop "/consumers/{consumer}/stop",
    DashboardRestart "/consumers/{consumer}/restart",
    DashboardWorkers "/consumers/{consumer}/changeWorkers/{workers}",
}

/// Before the router: another spelling of a route becomes the route.
pub(crate) async fn canonical(State(state): State<AppState>, mut request: Request) -> Request {
    if let Some(uri) = canonical_uri(state.base, request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn canonical_uri(base: &str, uri: &Uri) -> Option<Uri> {
    let mut path = canonical_path(base, uri.path())?;
    if path == uri.path() {
        return None;
    }
    if let Some(query) = uri.query() {
        path = format!("{path}?{query}");
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

fn canonical_path(base: &str, path: &str) -> Option<String> {
    let (start, below) = path.split_at_checked(base.len())?;
    if !start.eq_ignore_ascii_case(base) {
        return None;
    }
    let below = below.strip_suffix('/').unwrap_or(below);
    let words: Vec<&str> = below.strip_prefix('/')?.split('/').collect();
    let spelled = Route::ALL.into_iter().find_map(|route| spelled(route.pattern(), &words))?;
    Some(format!("{base}{spelled}"))
}

/// The words as the route has them, where they are its.
fn spelled(pattern: &str, words: &[&str]) -> Option<String> {
    let parts = pattern.split('/').skip(1);
    if parts.clone().count() != words.len() {
        return None;
    }
    let mut path = String::new();
    for (part, word) in parts.zip(words) {
        let is_name = part.starts_with('{');
        if word.is_empty() || !(is_name || part.eq_ignore_ascii_case(word)) {
            return None;
        }
        path.push('/');
        path.push_str(if is_name { word } else { part });
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_case_and_names_as_they_are() {
        for (path, want) in [
            ("/kafkaflow/groups", Some("/kafkaflow/groups")),
            ("/KafkaFlow/GROUPS/", Some("/kafkaflow/groups")),
            ("/kafkaflow/Groups/Orders/CONSUMERS", Some("/kafkaflow/groups/Orders/consumers")),
            (
                "/kafkaflow/groups/g/consumers/a%2Fb/Reset-Offsets",
                Some("/kafkaflow/groups/g/consumers/a%2Fb/reset-offsets"),
            ),
            ("/kafkaflow/consumers/Telemetry", Some("/kafkaflow/consumers/telemetry")),
            ("/kafkaflow/consumers/c/changeworkers/4", Some("/kafkaflow/consumers/c/changeWorkers/4")),
            ("/kafkaflow", None),
            ("/kafkaflow/", None),
            ("/kafkaflow/c/demo/groups/g", None),
            ("/kafkaflow/groups//consumers", None),
            ("/kafkaflow/groups/g", None),
            ("/other/groups", None),
            ("/kafkaflo", None),
            ("/kafkaflo\u{e9}/groups", None),
        ] {
            assert_eq!(canonical_path("/kafkaflow", path).as_deref(), want, "{path}");
        }
        assert_eq!(canonical_path("", "/TELEMETRY").as_deref(), Some("/telemetry"));
    }

    #[test]
    fn the_query_is_kept() {
        let uri: Uri = "/kafkaflow/Groups/g/Pause?topics=A&topics=b".parse().unwrap();
        let canonical = canonical_uri("/kafkaflow", &uri).unwrap();
        assert_eq!(canonical, "/kafkaflow/groups/g/pause?topics=A&topics=b");
        assert_eq!(canonical_uri("/kafkaflow", &canonical), None, "nothing to change");
    }
}
