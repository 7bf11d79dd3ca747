use super::*;
use crate::control::tests::{base, shared};

/// The link of agents with these settings.
fn joining(base: &ClientConfig, shared: &Shared) -> Option<Arc<Joining>> {
    let topics = Topics::of(&shared.settings);
    let (reader, writer) = (config::reader(base), config::writer(base));
    let key = Key { topics, reader: Properties::of(&reader), writer: Properties::of(&writer) };
    lock(&LINKS).get(&key).cloned()
}

/// Of a link that no agent can find.
pub(in crate::control) fn membership() -> Membership {
    let config = Properties { properties: BTreeMap::new(), log_level: 0 };
    let topics = Topics::of(&crate::config::tests::settings());
    let key = Key { topics, reader: config.clone(), writer: config };
    Membership { key, joining: Arc::new(Joining(Mutex::new(Some(vec![])))) }
}

/// A cluster of the test's own.
fn cluster(name: &str) -> ClientConfig {
    let mut base = base();
    base.set("metadata.max.age.ms", name);
    base
}

#[test]
fn equal_agents_share_a_link_and_others_have_their_own() {
    let base = cluster("100001");
    let (one, other, elsewhere) = (shared("one"), shared("other"), shared("elsewhere"));
    let waits = [join(&base, &one).unwrap(), join(&base, &other).unwrap()];
    let mut secured = base.clone();
    secured.set("client.dns.lookup", "resolve_canonical_bootstrap_servers_only");
    let third = join(&secured, &elsewhere).unwrap();
    let (link, its) = (joining(&base, &one).unwrap(), joining(&secured, &elsewhere).unwrap());
    assert!(Arc::ptr_eq(&link, &joining(&base, &other).unwrap()));
    assert!(!Arc::ptr_eq(&link, &its));

    let settings =
        crate::config::Settings { acks: "acks.of.others".parse().unwrap(), ..one.settings.clone() };
    let apart = Arc::new(Shared::new(settings));
    let fourth = join(&base, &apart).unwrap();
    assert!(!Arc::ptr_eq(&link, &joining(&base, &apart).unwrap()));

    // The first to end leaves the link to the other.
    one.finishing.cancel();
    let [first, second] = waits;
    assert!(first.blocking_recv().is_err(), "told by the sender's end");
    assert!(Arc::ptr_eq(&link, &joining(&base, &other).unwrap()));
    assert!(link.0.lock().unwrap().is_some());
    for (shared, ended) in [(other, second), (elsewhere, third), (apart, fourth)] {
        shared.finishing.cancel();
        assert!(ended.blocking_recv().is_err());
    }
    assert!(link.0.lock().unwrap().is_none());
}

#[test]
fn a_link_that_ended_is_made_anew() {
    let base = cluster("100002");
    let one = shared("one");
    let ended = join(&base, &one).unwrap();
    let link = joining(&base, &one).unwrap();
    one.finishing.cancel();
    assert!(ended.blocking_recv().is_err());
    assert!(joining(&base, &one).is_none(), "nothing is kept of it");
    let next = shared("one");
    let ended = join(&base, &next).unwrap();
    assert!(!Arc::ptr_eq(&link, &joining(&base, &next).unwrap()));
    next.finishing.cancel();
    assert!(ended.blocking_recv().is_err());
}

fn newcomer() -> Newcomer {
    Newcomer { shared: shared("one"), ended: oneshot::channel().0 }
}

#[test]
fn agent_that_comes_while_the_last_one_goes_is_let_in_or_given_back() {
    let membership = membership();
    assert!(membership.joining.enter(newcomer()).is_none());
    assert!(!membership.end_unless_joined(), "somebody has joined");
    assert_eq!(membership.newcomers().len(), 1);
    assert!(membership.end_unless_joined());
    assert!(membership.joining.enter(newcomer()).is_some(), "nobody is there to let it in");
    assert!(membership.newcomers().is_empty());
}

#[test]
fn nobody_joins_a_thread_that_ended_by_a_panic() {
    let membership = membership();
    let joining = Arc::clone(&membership.joining);
    assert!(joining.enter(newcomer()).is_none());
    drop(membership);
    assert!(joining.enter(newcomer()).is_some());
}

#[test]
fn failure_is_not_kept() {
    let mut base = cluster("100004");
    base.set("security.protocol", "none-at-all");
    let one = shared("one");
    for _ in 0..2 {
        assert!(matches!(join(&base, &one), Err(NoLink::Client(_))));
        assert!(joining(&base, &one).is_none());
    }
}
