//! Brokers that are away, silent, or refuse.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use flowdeck_kafka::{
    Cause, Cluster, ClusterConfig, Deadline, OffsetSpec, ProducerKind, ReadRequest, ReadStart,
};
use flowdeck_model::GroupId;
use flowdeck_testkit::{NodeOptions, ScramUser, port, private, wait_for};
use tokio_util::sync::CancellationToken;

use crate::support::{LONG, asked, cluster, read, topic};

const SHORT: Duration = Duration::from_millis(700);
/// How much later than its deadline a call may end on a machine that stalls for a second. A call that kept
/// another deadline would be later: the client library's own shortest wait is 5 s, for a connection.
const SLACK: Duration = Duration::from_secs(2);

/// Every call with a short deadline: each must fail, and in time.
async fn all_fail_in_time(cluster: &Cluster) {
    async fn timed<T>(what: &str, call: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let answer = call.await;
        assert!(start.elapsed() < SHORT + SLACK, "{what} took {:?}", start.elapsed());
        answer
    }
    let group = [GroupId::from("g")];
    let listed = timed("list_groups", cluster.list_groups(SHORT)).await.expect_err("nobody there");
    assert!(matches!(listed.cause, Cause::Timeout | Cause::Unreachable), "{listed:?}");
    assert!(timed("list_other_groups", cluster.list_other_groups(SHORT)).await.is_err());
    assert!(timed("metadata", cluster.metadata(SHORT)).await.is_err());
    assert!(timed("rights", cluster.rights(SHORT)).await.is_err());
    assert!(timed("topic_ids", cluster.topic_ids(&[topic("t")], SHORT)).await.is_err());
    assert!(timed("topic_config", cluster.topic_config(&topic("t"), SHORT)).await.is_err());
    assert!(timed("offsets", cluster.offsets(&asked("t", 1), OffsetSpec::Latest, SHORT)).await[0].is_err());
    assert!(timed("describe", cluster.describe_groups(&group, 1, SHORT)).await[0].1.is_err());
    let mut failed = false;
    timed("committed", cluster.committed(&group, 1, SHORT, |_, rows| failed = rows.is_err())).await;
    assert!(failed);
    let request = ReadRequest { deadline: Deadline::after(SHORT), ..read("t", ReadStart::Newest, 5) };
    assert!(timed("read", cluster.read(request, CancellationToken::new())).await.is_err());
    timed("capabilities", cluster.capabilities(SHORT)).await;
    let producer = cluster.producer(ProducerKind::Transactional { id: "x".to_owned() }).expect("a producer");
    assert!(timed("init", producer.init(SHORT)).await.is_err());
    assert!(
        timed("send", producer.transaction(vec![crate::produce::record("t", "k", None)], SHORT))
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_accepts_and_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let bootstrap = listener.local_addr().expect("an address").to_string();
    let cluster = || Cluster::new(ClusterConfig::new(bootstrap.clone())).expect("a cluster");
    let first = cluster();
    all_fail_in_time(&first).await;
    // A drop that waits for the broker would do so each time; a machine that stalls does not.
    let mut took = vec![time_of_drop(first)];
    for _ in 0..2 {
        let another = cluster();
        another.list_groups(SHORT).await.expect_err("nobody answers");
        took.push(time_of_drop(another));
    }
    let shortest = took.iter().min().expect("three drops");
    assert!(*shortest < Duration::from_millis(100), "dropping took {took:?}");
}

fn time_of_drop(cluster: Cluster) -> Duration {
    let start = Instant::now();
    drop(cluster);
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_appears_later_and_goes_away() {
    let port = port::free(1).expect("a port")[0];
    let cluster = Cluster::new(ClusterConfig::new(format!("127.0.0.1:{port}"))).expect("a cluster");
    all_fail_in_time(&cluster).await;
    let refused = cluster.list_groups(SHORT).await.expect_err("nobody there");
    assert_eq!(refused.cause, Cause::Unreachable, "a closed port is known to be one");
    let mut kafka = private(&NodeOptions { port: Some(port), ..NodeOptions::default() });
    wait_for("the broker", Duration::from_secs(15), async || cluster.list_groups(SHORT).await.ok()).await;
    kafka.create_topic("t", 1).await;
    kafka.produce("t", 0, ["a"]).await;
    let outcome =
        cluster.read(read("t", ReadStart::Newest, 5), CancellationToken::new()).await.expect("a read");
    assert_eq!(outcome.records.len(), 1);
    kafka.kill();
    all_fail_in_time(&cluster).await;
    kafka.start_again();
    wait_for("the broker again", Duration::from_secs(15), async || cluster.metadata(SHORT).await.ok()).await;
    let outcome =
        cluster.read(read("t", ReadStart::Newest, 5), CancellationToken::new()).await.expect("a read");
    assert_eq!(outcome.records.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_permitted_is_said_by_its_acl() {
    let (ana, eve) = (ScramUser::new("ana", "correct horse"), ScramUser::new("ana", "wrong"));
    let kafka = private(&NodeOptions { users: vec![ana.clone()], ..NodeOptions::default() });
    kafka.create_topic("open", 1).await;
    kafka.create_topic("closed", 1).await;
    kafka.produce("open", 0, ["a"]).await;
    kafka.commit("seen", &[("open", 0, 1), ("closed", 0, 0)]);
    kafka.commit("hidden", &[("open", 0, 1)]);
    kafka.allow("ana", &["Describe"], &["--topic", "open"]);
    kafka.allow("ana", &["Describe"], &["--group", "seen"]);
    let as_user = |user: &ScramUser| {
        let mut config = ClusterConfig::new(kafka.secure().bootstrap.clone());
        config.properties = kafka.secure().client_properties(user).into_iter().collect();
        config.properties.remove("bootstrap.servers");
        Cluster::new(config).expect("a cluster")
    };
    let cluster = as_user(&ana);
    // Groups are left out without a word: that is why rights are asked for.
    let listing = cluster.list_groups(LONG).await.expect("a listing");
    assert_eq!(listing.groups.iter().map(|group| group.id.as_str()).collect::<Vec<_>>(), ["seen"]);
    let missing = cluster.rights(LONG).await.expect("rights").missing_describe().expect("missing");
    assert_eq!(missing.to_string(), "Describe on Cluster:kafka-cluster");
    let (_, hidden) = cluster.describe_groups(&[GroupId::from("hidden")], 1, LONG).await.remove(0);
    assert_eq!(
        hidden.expect_err("refused").to_string(),
        "not permitted: Describe on Group:hidden is missing"
    );
    let refused =
        cluster.read(read("open", ReadStart::Newest, 5), CancellationToken::new()).await.expect("an outcome");
    let cause = refused.partitions[0].error.clone().expect("refused");
    assert_eq!(cause.to_string(), "not permitted: Read on Topic:open is missing");
    let table = cluster.capabilities(LONG).await;
    assert_eq!(table.list_groups.to_string(), "not permitted: Describe on Cluster:kafka-cluster is missing");
    assert_eq!(table.create_topics.to_string(), "not permitted: Create on Cluster:kafka-cluster is missing");
    assert_eq!(table.read_records.to_string(), "not permitted: Read on Topic:open is missing");
    let unprivileged = as_user(&eve);
    wait_for("the refusal", LONG, async || {
        let error = unprivileged.list_groups(SHORT).await.expect_err("refused");
        (error.cause == Cause::Authentication).then_some(())
    })
    .await;
}

/// librdkafka aborts the process where a coordinator comes back after such a request ran out of time.
#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_comes_back_late_finds_the_process_alive() {
    let mut kafka = private(&NodeOptions::default());
    let cluster = cluster(&kafka);
    kafka.create_topic("t", 1).await;
    kafka.commit("g", &[("t", 0, 3)]);
    kafka.commit("h", &[("t", 0, 4)]);
    let groups = [GroupId::from("g"), GroupId::from("h")];
    cluster.list_groups(LONG).await.expect("a listing");
    kafka.kill();
    // Asked in the belief that the broker is there.
    let commits = async {
        let mut failed = 0;
        cluster.committed(&groups, 2, SHORT, |_, rows| failed += usize::from(rows.is_err())).await;
        failed
    };
    let (failed, described) = tokio::join!(commits, cluster.describe_groups(&groups, 2, SHORT));
    assert_eq!(failed, 2);
    assert!(described.iter().all(|(_, described)| described.is_err()));
    all_fail_in_time(&cluster).await;
    kafka.start_again();
    wait_for("the groups' commits", LONG, async || {
        let mut found = Vec::new();
        cluster.committed(&groups, 2, SHORT, |_, rows| found.extend(rows.ok())).await;
        let offsets: Vec<_> = found.iter().flatten().map(|row| row.offset()).collect();
        (offsets.contains(&Ok(Some(3))) && offsets.contains(&Ok(Some(4)))).then_some(())
    })
    .await;
    let described = cluster.describe_groups(&groups, 2, LONG).await;
    assert!(described.iter().all(|(_, described)| described.is_ok()), "{described:?}");
}
