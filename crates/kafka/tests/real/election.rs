//! One leader among several candidates.

use std::time::{Duration, Instant};

use flowdeck_kafka::{
    Acl, Cause, Cluster, ClusterConfig, Election, ElectionEvent, ElectionRequest, Error, Lost, Operation,
};
use flowdeck_model::GroupId;
use flowdeck_testkit::{
    Kafka, Network, NodeOptions, Proxy, ScramUser, kafka, private, private_cluster, unique, wait_for,
};

use crate::support::{LONG, cluster, topic};

/// A killed or frozen leader's session, and the heartbeat at which the others hear that it ended.
const TAKEOVER: Duration = Duration::from_secs(10);
/// A leader that left is replaced at a heartbeat of the others, a second at most, on a machine that may be busy;
/// were a session awaited, it would take longer.
const HANDOVER: Duration = Duration::from_secs(4);

pub(crate) fn elect(cluster: &Cluster, group: &str, name: &str) -> Election {
    cluster.elect(ElectionRequest::new(group, topic(name)))
}

pub(crate) async fn next(election: &mut Election) -> ElectionEvent {
    let event = tokio::time::timeout(LONG, election.next()).await;
    event.expect("an event in time").expect("an election that goes on")
}

/// The next event but for failures, which a broker that is away gives while it is.
pub(crate) async fn decided(election: &mut Election) -> ElectionEvent {
    loop {
        match next(election).await {
            ElectionEvent::Failing(error) => eprintln!("{}", error.with_cause()),
            event => return event,
        }
    }
}

/// What waits to be received.
async fn told(election: &mut Election) -> Vec<ElectionEvent> {
    let mut told = vec![];
    while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, election.next()).await {
        told.push(event);
    }
    told
}

async fn topic_and_group(kafka: &Kafka) -> (String, String) {
    let name = unique("holds");
    kafka.create_topic(&name, 1).await;
    (name, unique("writer"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_is_elected_and_its_successor_when_it_leaves() {
    let kafka = kafka();
    let (name, group) = topic_and_group(kafka).await;
    kafka.produce(&name, 0, ["a", "b"]).await;
    // A cluster each, as in processes of their own.
    let clusters = [cluster(kafka), cluster(kafka), cluster(kafka)];
    let mut first = elect(&clusters[0], &group, &name);
    assert_eq!(next(&mut first).await, ElectionEvent::Elected);
    let led = first.leadership();
    assert!(led.is_held());
    let mut second = elect(&clusters[1], &group, &name);
    assert_eq!(next(&mut second).await, ElectionEvent::Standby);
    let mut third = elect(&clusters[2], &group, &name);
    assert_eq!(next(&mut third).await, ElectionEvent::Standby);
    // Neither who joins nor who leaves changes the leader.
    third.leave(LONG).await;
    // Longer than a heartbeat.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(led.is_held() && !second.leadership().is_held());
    assert!(tokio::time::timeout(Duration::ZERO, first.next()).await.is_err(), "an event");
    // Within the next heartbeat, whether it is dropped or waited for.
    let begun = Instant::now();
    first.leave(LONG).await;
    let left = begun.elapsed();
    assert!(!led.is_held());
    assert_eq!(next(&mut second).await, ElectionEvent::Elected);
    let replaced = begun.elapsed();
    let mut again = elect(&clusters[0], &group, &name);
    assert_eq!(next(&mut again).await, ElectionEvent::Standby);
    let (begun, led) = (Instant::now(), second.leadership());
    drop(second);
    wait_for("the end of the leadership", Duration::from_millis(500), async || {
        (!led.is_held()).then_some(())
    })
    .await;
    assert_eq!(next(&mut again).await, ElectionEvent::Elected);
    let dropped = begun.elapsed();
    eprintln!("left after {left:?}, replaced after {replaced:?}; one that was dropped after {dropped:?}");
    assert!(replaced.max(dropped) < HANDOVER, "{replaced:?}, {dropped:?}");
    let mut committed = vec![];
    let groups = [GroupId::from(group.as_str())];
    clusters[0].committed(&groups, 1, LONG, |_, rows| committed = rows.expect("an answer")).await;
    assert!(committed.is_empty(), "{committed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topic_is_said_and_awaited() {
    let (kafka, name) = (kafka(), unique("later"));
    let cluster = cluster(kafka);
    let mut election = elect(&cluster, &unique("writer"), &name);
    let missing = ElectionEvent::Failing(Error::new(Operation::Election, Cause::UnknownTopic));
    assert_eq!(next(&mut election).await, missing);
    kafka.create_topic(&name, 1).await;
    assert_eq!(next(&mut election).await, ElectionEvent::Elected);
    assert!(kafka.topics().contains(&(name, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_acl_is_named_and_awaited() {
    let user = ScramUser::new("flowdeck", "correct horse");
    let kafka = private(&NodeOptions { users: vec![user.clone()], ..NodeOptions::default() });
    kafka.create_topic("flowdeck.holds", 1).await;
    kafka.allow("flowdeck", &["Describe"], &["--topic", "flowdeck.holds"]);
    let mut config = ClusterConfig::new(kafka.secure().bootstrap.clone());
    config.properties = kafka.secure().client_properties(&user).into_iter().collect();
    let cluster = Cluster::new(config).expect("a cluster");
    let mut election = elect(&cluster, "flowdeck.writer", "flowdeck.holds");
    let acl = Acl { operation: "Read", resource: "Group:flowdeck.writer".to_owned() };
    let missing = ElectionEvent::Failing(Error::new(Operation::Election, Cause::NotPermitted(acl)));
    assert_eq!(next(&mut election).await, missing);
    kafka.allow("flowdeck", &["Read"], &["--group", "flowdeck.writer"]);
    assert_eq!(next(&mut election).await, ElectionEvent::Elected);
    assert!(kafka.denied("flowdeck").iter().all(|denied| denied.contains("flowdeck.writer")));
}

/// What nobody answers ends by the leader's own clock, before the coordinator can give it to another.
#[tokio::test(flavor = "multi_thread")]
async fn unreachable_leader_gives_up_before_another_is_elected() {
    let proxy = Proxy::start().await;
    let kafka = private(&NodeOptions { behind: Some(proxy.port()), ..NodeOptions::default() });
    proxy.to(kafka.proxied());
    let (name, group) = topic_and_group(&kafka).await;
    let behind = Cluster::new(ClusterConfig::new(proxy.bootstrap())).expect("a cluster");
    let (mut leader, direct) = (elect(&behind, &group, &name), cluster(&kafka));
    assert_eq!(decided(&mut leader).await, ElectionEvent::Elected);
    let mut other = elect(&direct, &group, &name);
    assert_eq!(next(&mut other).await, ElectionEvent::Standby);
    for network in [Network::Stall, Network::HalfOpen, Network::Cut] {
        proxy.set(network);
        let (begun, led) = (Instant::now(), leader.leadership());
        let (mut ended, mut elected) = (None, None);
        while ended.is_none() || elected.is_none() {
            // Its end first: at no moment do both lead.
            if ended.is_none() && !led.is_held() {
                ended = Some(begun.elapsed());
            }
            if elected.is_none() && other.leadership().is_held() {
                assert!(ended.is_some(), "{network:?}: two leaders");
                elected = Some(begun.elapsed());
            }
            assert!(begun.elapsed() < TAKEOVER, "{network:?}: ended {ended:?}, the other {elected:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        eprintln!("{network:?}: ended after {ended:?}, the other elected after {elected:?}");
        assert_eq!(next(&mut other).await, ElectionEvent::Elected);
        assert_eq!(next(&mut leader).await, ElectionEvent::Lost(Lost::NoAnswer));
        proxy.set(Network::Pass);
        assert_eq!(decided(&mut leader).await, ElectionEvent::Standby, "{network:?}");
        // The other way round for the next.
        let back = Instant::now();
        drop(other);
        assert_eq!(decided(&mut leader).await, ElectionEvent::Elected, "{network:?}");
        assert!(back.elapsed() < HANDOVER, "{network:?}: {:?}", back.elapsed());
        other = elect(&direct, &group, &name);
        assert_eq!(next(&mut other).await, ElectionEvent::Standby, "{network:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_coordinator_is_replaced() {
    let mut kafka = private_cluster(3, &NodeOptions::default());
    kafka.create_replicated("flowdeck.holds", 1).await;
    let clusters = [cluster(&kafka), cluster(&kafka)];
    let mut both = clusters.each_ref().map(|cluster| elect(cluster, "flowdeck.writer", "flowdeck.holds"));
    let [first, second] = &mut both;
    let (one, two) = tokio::join!(decided(first), decided(second));
    assert!([&one, &two].contains(&&ElectionEvent::Elected), "{one:?} {two:?}");
    let coordinator = tokio::task::block_in_place(|| kafka.coordinator("flowdeck.writer"));
    kafka.kill(coordinator);
    let leaders = both.each_ref().map(Election::leadership);
    let begun = Instant::now();
    let (mut steady, mut without) = (None, Duration::ZERO);
    // Its sessions go on at the next coordinator, or end and one is elected anew: one leads, and stays it.
    while steady.is_none_or(|since: Instant| since.elapsed() < Duration::from_secs(8)) {
        let held = leaders.each_ref().map(|leadership| leadership.is_held());
        assert_ne!(held, [true, true], "two leaders");
        if held == [false, false] {
            steady = None;
        } else {
            without = steady.get_or_insert_with(Instant::now).duration_since(begun);
        }
        if begun.elapsed() > LONG * 2 {
            let [first, second] = &mut both;
            panic!("no leader: {:?} {:?}", told(first).await, told(second).await);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    eprintln!("one leads for good {without:?} after its coordinator was killed");
}
