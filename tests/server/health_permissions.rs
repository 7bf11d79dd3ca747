//! `/health` with sign-in on: the status is for everybody; which clusters there are, and what their brokers say, for
//! actors that may view them.

use axum::Router;
use axum::body::Body;
use flowdeck::config::{ClusterConfig, Config, Property};
use flowdeck::{kafka, service};
use http::{Request, StatusCode};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::people::{People, log_in, settings, with};
use crate::support::{Answer, ask, get};

const CLUSTERS: [&str; 2] = ["demo", "other"];
const PATHS: [&str; 2] = ["/health", "/health/ready"];

/// A cluster with an error of its own from the start: a property that no Kafka client knows.
fn broken(name: &str) -> ClusterConfig {
    let mut cluster = ClusterConfig::new(name.parse().unwrap());
    cluster.bootstrap = "127.0.0.1:1".to_owned();
    cluster.properties.insert(property(name), Property::new("x"));
    cluster
}

fn property(cluster: &str) -> String {
    format!("no.property.of.{cluster}")
}

/// The real ports, which check permissions.
fn router(people: &People) -> (Router, DropGuard) {
    let stop = CancellationToken::new();
    let config = Config { clusters: CLUSTERS.map(broken).into(), ..Config::default() };
    let admin = kafka::start(&config, stop.clone());
    (service(admin.bind(), people.options()), stop.drop_guard())
}

/// The names that it lists; neither names nor errors of clusters that it does not list are anywhere.
fn named(answer: &Answer) -> Vec<String> {
    let kafka = &answer.json()["checks"]["kafka"];
    let listed: Vec<String> = kafka["clusters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cluster| cluster["name"].as_str().unwrap().to_owned())
        .collect();
    for name in CLUSTERS {
        let is_listed = listed.iter().any(|one| one == name);
        assert_eq!(answer.body.contains(&property(name)), is_listed, "{name}: {}", answer.body);
        assert_eq!(answer.body.contains(&format!("{name:?}")), is_listed, "{name}: {}", answer.body);
    }
    listed
}

#[tokio::test]
async fn health_names_clusters_to_actors_that_may_view_them() {
    let roles: [(&str, &[&str]); 4] =
        [("payments", &["demo"]), ("elsewhere", &["other"]), ("viewer", &CLUSTERS), ("admin", &CLUSTERS)];
    let made = roles.map(|(role, _)| (role, flowdeck::auth::new_token()));
    let users = roles.map(|(role, _)| (role, role));
    let hashes: Vec<(&str, &str)> = made.iter().map(|(role, (_, hash))| (hash.as_str(), *role)).collect();
    let people = People::new(settings(&users, &hashes)).await;
    let (router, _stop) = router(&people);
    let cookie = log_in(&router, "admin").await;
    let wrong = || with(get("/health"), "authorization", "Bearer wrong");
    let mut asked: Vec<(String, Request<Body>, &[&str])> = vec![
        ("a wrong token".to_owned(), wrong(), &[]),
        ("a wrong token beside the admin's cookie".to_owned(), with(wrong(), "cookie", &cookie), &[]),
    ];
    asked.extend(PATHS.map(|path| (format!("nobody: {path}"), get(path), &[] as &[&str])));
    for ((role, sees), (_, (token, _))) in roles.into_iter().zip(&made) {
        let cookie = log_in(&router, role).await;
        for path in PATHS {
            asked.push((format!("{role} by session: {path}"), with(get(path), "cookie", &cookie), sees));
            let bearer = format!("Bearer {token}");
            asked.push((format!("{role} by token: {path}"), with(get(path), "authorization", &bearer), sees));
        }
    }
    for (who, request, want) in asked {
        let answer = ask(&router, request).await;
        assert_eq!(answer.status, StatusCode::OK, "{who}");
        assert_eq!(named(&answer), want, "{who}");
        // The status is told to all, by all clusters.
        assert_eq!(answer.json()["checks"]["kafka"]["status"], "unhealthy", "{who}");
        assert_eq!(answer.json()["status"], "degraded", "{who}");
    }
    for (path, status) in [("/health/ready?strict", 503), ("/health/live", 200)] {
        let answer = ask(&router, get(path)).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(CLUSTERS.iter().all(|name| !answer.body.contains(name)), "{path}: {}", answer.body);
    }
}
