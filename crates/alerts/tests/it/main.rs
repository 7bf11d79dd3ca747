//! Delivery: to a receiver that takes, refuses, fails, and is away for a while.

mod mail;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_alerts::{Alerts, Channel, ClusterLook, Format, Found, Look, Receiver, Selection, Target, test};
use flowdeck_model::view::GroupLabels;
use flowdeck_model::{Level, Timestamp, Verdict};
use flowdeck_testkit::{DEADLINE, Hook, wait_for};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_millis(20);

fn receiver(target: Target) -> Receiver {
    receiver_by(Channel::Http { target, format: Format::Alertmanager })
}

fn receiver_by(channel: Channel) -> Receiver {
    Receiver {
        name: "on-call".to_owned(),
        channel,
        selection: Selection { level: Level::Critical, verdicts: vec![], groups: vec![], clusters: vec![] },
        after: Duration::from_secs(60),
        repeat: Duration::from_secs(3_600),
        resolved: true,
    }
}

/// What is found at a time that the test sets.
#[derive(Clone)]
struct World(Arc<Mutex<Look>>);

impl World {
    fn new() -> Self {
        let cluster = ClusterLook {
            name: "eu".parse().unwrap(),
            read_at: Timestamp::from_millis(0),
            another_tells: false,
            found: vec![],
            unknown: BTreeSet::new(),
        };
        Self(Arc::new(Mutex::new(Look { now: Timestamp::from_millis(0), clusters: vec![cluster] })))
    }

    fn at(&self, seconds: i64, stalled: bool) {
        let mut look = self.0.lock().unwrap();
        look.now = Timestamp::from_millis(seconds * 1_000);
        let found = Found {
            group: "payments".into(),
            verdict: Verdict::Stalled,
            level: Level::Critical,
            since: Timestamp::from_millis(0),
            evidence: Some("no commit moves".to_owned()),
        };
        look.clusters[0].read_at = Timestamp::from_millis(seconds * 1_000);
        look.clusters[0].found = if stalled { vec![found] } else { vec![] };
    }

    fn told_to(&self, receiver: Receiver, shutdown: &CancellationToken) -> Alerts {
        let look = self.0.clone();
        Alerts::start(
            vec![receiver],
            move || look.lock().unwrap().clone(),
            Arc::new(|_| GroupLabels::default()),
            Some("https://ops.example/kafkaflow".to_owned()),
            EVERY,
            shutdown.clone(),
        )
    }
}

async fn posts(hook: &Hook, count: usize) -> Vec<Value> {
    wait_for("posts", DEADLINE, async || {
        let posts = hook.posts();
        (posts.len() >= count)
            .then(|| posts.iter().map(|post| serde_json::from_str(&post.body).unwrap()).collect())
    })
    .await
}

#[tokio::test]
async fn an_alert_is_posted_when_it_begins_and_when_it_is_over() {
    let (hook, world, shutdown) = (Hook::start(), World::new(), CancellationToken::new());
    let target = Target::new(&hook.url("/hook?key=1")).unwrap().with_bearer("t0ken".to_owned()).unwrap();
    let alerts = world.told_to(receiver(target), &shutdown);
    world.at(60, true);
    let first = posts(&hook, 1).await.remove(0);
    assert_eq!(
        (&first["status"], &first["alerts"][0]["labels"]["group"]),
        (&"firing".into(), &"payments".into())
    );
    let post = hook.posts().remove(0);
    assert_eq!((post.path.as_str(), post.header("authorization")), ("/hook?key=1", Some("Bearer t0ken")));
    assert_eq!(post.header("content-type"), Some("application/json"));
    let figures = || alerts.statuses()[0].figures();
    wait_for("the count", DEADLINE, async || (figures().sent == 1 && figures().firing == 1).then_some(()))
        .await;
    world.at(70, false);
    wait_for("nothing that fires", DEADLINE, async || (figures().firing == 0).then_some(())).await;
    world.at(100, false);
    let last = posts(&hook, 2).await.remove(1);
    assert_eq!((&last["status"], &last["alerts"][0]["status"]), (&"resolved".into(), &"resolved".into()));
    shutdown.cancel();
}

#[tokio::test]
async fn a_receiver_that_fails_is_asked_again_and_said() {
    let (hook, world, shutdown) = (Hook::start(), World::new(), CancellationToken::new());
    hook.answers("503 Later");
    let alerts = world.told_to(receiver(Target::new(&hook.url("/secret")).unwrap()), &shutdown);
    world.at(60, true);
    posts(&hook, 3).await;
    let trouble = alerts.statuses()[0].trouble().unwrap();
    assert!(trouble.contains("on-call") && trouble.contains("it answers 503"), "{trouble}");
    assert!(!trouble.contains("secret"), "{trouble}");
    hook.answers("204 Taken");
    wait_for("the end of the trouble", DEADLINE, async || {
        alerts.statuses()[0].trouble().is_none().then_some(())
    })
    .await;
    let figures = alerts.statuses()[0].figures();
    assert!(figures.failed >= 3 && figures.sent == 1, "{figures:?}");
    shutdown.cancel();
}

#[tokio::test]
async fn what_is_over_while_the_receiver_fails_is_not_told() {
    let (hook, world, shutdown) = (Hook::start(), World::new(), CancellationToken::new());
    hook.answers("500 Oh");
    let alerts = world.told_to(receiver(Target::new(&hook.url("/")).unwrap()), &shutdown);
    world.at(60, true);
    posts(&hook, 1).await;
    world.at(70, false);
    wait_for("nothing that fires", DEADLINE, async || {
        (alerts.statuses()[0].figures().firing == 0).then_some(())
    })
    .await;
    wait_for("nothing that waits", DEADLINE, async || alerts.statuses()[0].trouble().is_none().then_some(()))
        .await;
    hook.answers("200 OK");
    let before = hook.posts().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(hook.posts().len(), before);
    shutdown.cancel();
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_test_says_what_came_back() {
    let (hook, elsewhere) = (Hook::start(), Hook::start());
    let receiver = receiver(Target::new(&hook.url("/a")).unwrap().with_bearer("t0ken".to_owned()).unwrap());
    let tried = |receiver: Receiver| {
        let now = Timestamp::from_millis(1_795_270_000_000);
        tokio::task::spawn_blocking(move || test(&receiver, "eu".parse().unwrap(), None, now))
    };
    hook.answers(&format!("307 There\r\nLocation: {}", elsewhere.url("/")));
    let words = tried(receiver.clone()).await.unwrap().unwrap_err();
    assert_eq!(words, "it answers 307, and redirects are not followed");
    assert!(elsewhere.posts().is_empty());
    hook.answers("200 OK");
    tried(receiver.clone()).await.unwrap().unwrap();
    let told = hook.posts();
    assert!(told.iter().all(|post| post.body.contains("a test of this receiver")), "{told:?}");
    let nobody = Target::new("http://127.0.0.1:9/secret").unwrap();
    let words = tried(self::receiver(nobody)).await.unwrap().unwrap_err();
    assert!(words.contains("refused") && !words.contains("secret"), "{words}");
}

#[tokio::test]
async fn what_a_receiver_refuses_keeps_back_no_other() {
    let (hook, world, shutdown) = (Hook::start(), World::new(), CancellationToken::new());
    hook.answers("413 Long");
    let alerts = world.told_to(receiver(Target::new(&hook.url("/")).unwrap()), &shutdown);
    world.at(60, true);
    wait_for("a refusal", DEADLINE, async || (alerts.statuses()[0].figures().failed == 1).then_some(()))
        .await;
    let posts_so_far = hook.posts().len();
    hook.answers("200 OK");
    world.0.lock().unwrap().clusters[0].read_at = Timestamp::from_millis(0);
    world.0.lock().unwrap().now = Timestamp::from_millis(200_000);
    let next = posts(&hook, posts_so_far + 1).await.pop().unwrap();
    assert_eq!(next["alerts"][0]["labels"]["verdict"], "clusterNotRead");
    assert_eq!(alerts.statuses()[0].figures().failed, 1, "it is not sent again");
    shutdown.cancel();
}
