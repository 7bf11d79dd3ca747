//! `/kafkaflow/api/v1`: shapes, errors, names.

use flowdeck_model::{ClusterName, GroupId, url};
use http::{Method, StatusCode};

use crate::memory::{HOSTILE, cluster};
use crate::support::{get, site};

const V1: &str = "/kafkaflow/api/v1";

fn group_path(name: &str) -> String {
    let cluster: ClusterName = cluster("demo");
    format!("{V1}/clusters{}", &url::group_path(&cluster, &GroupId::from(name))[2..])
}

/// A list with two readers cannot differ, but a route can be mounted beside it.
#[test]
fn every_api_route_is_in_the_openapi_document() {
    let base: flowdeck::config::Base = "/kafkaflow".parse().unwrap();
    let document = flowdeck::openapi(base.as_str());
    let documented: Vec<String> = document.paths.paths.keys().map(|path| format!("{V1}{path}")).collect();
    let mut mounted = flowdeck::entry_points(&base);
    mounted.retain(|path| path.starts_with(V1) && !path.ends_with("/openapi.json"));
    assert!(mounted.len() >= 6, "{mounted:?}");
    assert_eq!(mounted, documented);
}

#[tokio::test]
async fn fleet_has_the_documented_shape() {
    let fleet = site().get(&format!("{V1}/groups?search=payments&sort=-lag&limit=1")).await;
    assert_eq!(fleet.status, StatusCode::OK);
    let fleet = fleet.json();
    assert_eq!(fleet["version"], "00000001-1");
    assert_eq!((&fleet["total"], &fleet["partial"]), (&2.into(), &false.into()));
    for field in ["name", "mode", "asOf", "error"] {
        assert!(fleet["clusters"][0].get(field).is_some(), "{field}");
    }
    let row = &fleet["groups"][0];
    for field in ["cluster", "group", "type", "state", "verdict", "lag", "members", "topics", "holds", "asOf"]
    {
        assert!(row.get(field).is_some(), "{field}");
    }
    assert_eq!(fleet["groups"].as_array().unwrap().len(), 1);
    assert_eq!(row["asOf"], "2026-11-21T14:08:57.123Z");
}

#[tokio::test]
async fn names_round_trip_through_urls() {
    let site = site();
    for name in HOSTILE {
        let answer = site.get(&group_path(name)).await;
        assert_eq!(answer.status, StatusCode::OK, "{name:?}");
        assert_eq!(answer.json()["group"], name);
    }
    // Other spellings of the same bytes are other paths.
    for path in ["a%2Fb", "%2e%2e", "..", "with%20space", "~cGF5bWVudHM", "%F0%9F%A6%80", "~", "~Lg=="] {
        let answer = site.get(&format!("{V1}/clusters/demo/groups/{path}")).await;
        let decodes = url::decode(path).is_some();
        assert_eq!(answer.status == StatusCode::OK, decodes, "{path}");
    }
}

#[tokio::test]
async fn impossible_topic_name_is_404_without_a_port() {
    let site = site();
    for name in HOSTILE {
        for below in ["", "/messages"] {
            let path = format!("{V1}/clusters/demo/topics/{}{below}", url::encode(name));
            let answer = site.get(&path).await;
            // A plain name can be a topic's; it is asked for, and is not there.
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name:?}");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(&format!("{name:?}")), "{detail}");
        }
    }
    assert_eq!(site.memory.topics_asked(), Vec::<String>::new());
    assert_eq!(site.get(&format!("{V1}/clusters/demo/topics/missing")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.memory.topics_asked(), ["missing"]);
}

#[tokio::test]
async fn errors_are_problem_documents_with_their_status() {
    let site = site();
    for (group, status, kind) in [
        ("missing", 404, "not-found"),
        ("error-forbidden", 403, "forbidden"),
        ("error-observe", 403, "observe-mode"),
        ("error-invalid", 400, "invalid"),
        ("error-conflict", 409, "conflict"),
        ("error-unprocessable", 422, "unprocessable"),
        ("error-unavailable", 503, "unavailable"),
        ("error-in-doubt", 503, "in-doubt"),
        ("error-too-many", 429, "too-many"),
        ("error-panic", 500, "internal"),
    ] {
        let path = group_path(group);
        let answer = site.get(&path).await;
        assert_eq!(answer.status, status, "{group}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["type"], format!("urn:flowdeck:problem:{kind}"));
        assert_eq!((&problem["status"], &problem["instance"]), (&status.into(), &path.into()));
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().contains("a handler's own mistake"));
    }
}

#[tokio::test]
async fn query_errors_name_the_field() {
    let site = site();
    for (query, field) in [
        ("groups?limit=0", "limit"),
        ("groups?limit=1001", "limit"),
        ("groups?offset=-1", "offset"),
        ("groups?sort=colour", "sort"),
        ("groups?verdict=fine", "verdict"),
        ("groups?cluster=a/b", "cluster"),
        ("groups?colour=red", "colour"),
        ("clusters/demo/topics/orders/messages?partition=x", "partition"),
        ("clusters/demo/topics/orders/messages?from=noon", "from"),
        ("clusters/demo/topics/orders/messages?from=offset:-1", "from"),
        ("clusters/demo/topics/orders/messages?limit=501", "limit"),
    ] {
        let answer = site.get(&format!("{V1}/{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.json()["field"], field, "{query}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let site = site();
    for path in ["", "/", "/nope", "/groups/", "/clusters/demo", "/clusters/demo/topics/orders/x"] {
        let answer = site.get(&format!("{V1}{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
    }
    for (method, path, allow) in [
        (Method::POST, "/groups", "GET,HEAD"),
        (Method::DELETE, "/clusters/demo/groups/payments", "GET,HEAD"),
        (Method::GET, "/clusters/demo/commands", "POST"),
    ] {
        let mut request = get(&format!("{V1}{path}"));
        *request.method_mut() = method;
        let answer = site.ask(request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!((answer.header("allow"), answer.json()["status"].as_u64()), (allow, Some(405)), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_cluster_is_named() {
    let site = site();
    for path in ["groups/payments", "topics", "topics/orders", "topics/orders/messages"] {
        let answer = site.get(&format!("{V1}/clusters/nowhere/{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("cluster \"nowhere\""));
    }
}

#[tokio::test]
async fn downloads_are_files() {
    let path = format!("{V1}/clusters/demo/topics/orders/messages/download?partition=3");
    let site = site();
    for (format, kind, begins) in [
        ("", "application/x-ndjson", "{\"partition\":3,"),
        (
            "&format=csv",
            "text/csv; charset=utf-8",
            "partition,offset,timestamp,key,value,headers\r\n\"3\",\"41\",",
        ),
    ] {
        let answer = site.get(&format!("{path}{format}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, kind));
        let ending = if format.is_empty() { "ndjson" } else { "csv" };
        assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"orders.{ending}\""));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.body.starts_with(begins), "{}", answer.body);
    }
    // The memory's record is no hexadecimal: as one in which something is masked, it has no bytes.
    let answer = site.get(&format!("{path}&format=raw")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer = site.get(&format!("{path}&format=xml")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn messages_are_shown_as_data() {
    let path = format!("{V1}/clusters/demo/topics/orders/messages?partition=3&limit=1");
    let answer = site().get(&path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.json()["records"][0]["partition"], 3);
}

#[tokio::test]
async fn api_calls_have_their_own_actor() {
    let site = site();
    site.get(&format!("{V1}/groups")).await;
    assert_eq!(site.memory.last_actor().view.via, flowdeck_model::Via::Api);
    site.get("/kafkaflow").await;
    assert_eq!(site.memory.last_actor().view.via, flowdeck_model::Via::Page);
}

#[tokio::test]
async fn openapi_document_names_the_base() {
    let document = site().get(&format!("{V1}/openapi.json")).await.json();
    assert_eq!(document["servers"][0]["url"], V1);
}

/// The whole document: no change to the API goes unseen.
#[test]
fn openapi() {
    insta::assert_json_snapshot!(flowdeck::openapi("/kafkaflow"));
}

#[tokio::test]
async fn browser_on_api_path_gets_problem_document() {
    let mut request = get(&format!("{V1}/groups?limit=0"));
    request.headers_mut().insert("accept", "text/html,*/*;q=0.8".parse().unwrap());
    assert_eq!(site().ask(request).await.header("content-type"), "application/problem+json");
}
