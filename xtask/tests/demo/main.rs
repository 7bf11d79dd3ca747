//! `cargo xtask demo` as a person uses it: the real command, a real Kafka, real signals.

mod run;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flowdeck_testkit::{NodeOptions, port, private};
use run::{BUILD, Input, Run};

/// From the signal to the end: services and broker have their time to stop in order.
const STOP: Duration = Duration::from_secs(25);
/// What is left of a process that was told to end.
const REAP: Duration = Duration::from_secs(2);
/// A killed xtask stops nothing itself: its children's supervisors do, after their grace.
const ORPHANS: Duration = Duration::from_secs(20);

/// One demo at a time: two cores carry one, and the time of a start is measured.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port for a demo, and the data that it leaves under it.
struct Place(u16);

impl Place {
    fn new() -> Self {
        Self(port::free(1).expect("a free port")[0])
    }

    fn port(&self) -> String {
        self.0.to_string()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/kafkaflow", self.0)
    }

    fn dir(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        root.join(target).join(format!("demo/{}", self.0))
    }

    /// The status line of the fleet page.
    fn page(&self) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.0)).expect("a listener");
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"GET /kafkaflow HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("a page");
        text.lines().next().unwrap_or_default().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.dir());
    }
}

#[test]
fn a_taken_port_is_one_line_that_names_the_flag() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut run = Run::start(&["demo", "--port", &port], Input::Ended);
    assert_eq!(run.ends(Duration::from_secs(10)).code(), Some(1));
    let said = run.err();
    assert!(said.lines().count() == 1 && said.contains(&port) && said.contains("--port"), "{said}");
    assert_eq!(run.out(), "");
}

/// Twice: the second start has what the first one built and kept.
#[test]
fn a_demo_ends_with_ctrl_c_and_a_second_one_is_ready_within_seconds() {
    let _alone = alone();
    let place = Place::new();
    let mut first = Run::start(&["demo", "--port", &place.port()], Input::Ended);
    first.says(&place.url(), BUILD);
    assert!(place.page().contains(" 200 "));
    assert!(first.processes() > 4, "xtask, Kafka, services, server: {}", first.processes());
    first.signal("INT");
    assert!(first.ends(STOP).success());
    first.leaves_nothing(REAP);
    assert!(port::is_free(place.0));

    let begun = Instant::now();
    let mut second = Run::start(&["demo", "--port", &place.port()], Input::Ended);
    second.says(&place.url(), BUILD);
    let ready = begun.elapsed();
    println!("the second start was ready after {ready:.1?}");
    assert!(ready < Duration::from_secs(10), "{ready:?}:\n{}", second.err());
    // A terminal that is closed, or worse: nobody is there to stop anything in order.
    second.signal("KILL");
    second.ends(REAP);
    second.leaves_nothing(ORPHANS);
    assert!(port::is_free(place.0));
}

#[test]
fn ctrl_c_half_way_leaves_no_process() {
    let _alone = alone();
    let place = Place::new();
    for step in ["building the pages", "building the server", "starting Kafka", "starting the services"] {
        let mut run = Run::start(&["demo", "--port", &place.port(), "--fresh"], Input::Ended);
        run.says(step, BUILD);
        run.signal("INT");
        assert_eq!(run.ends(STOP).code(), Some(130), "{step}: {}", run.err());
        run.leaves_nothing(REAP);
        assert!(!run.out().contains("http://") && port::is_free(place.0), "{step}");
    }
}

#[test]
fn a_build_or_a_broker_that_fails_leaves_no_process() {
    let _alone = alone();
    let place = Place::new();
    let no_kafka = tempfile::tempdir().unwrap();
    for (variable, value, words) in [
        ("CARGO", Path::new("/bin/false"), "the build of the pages failed"),
        ("FLOWDECK_KAFKA_LIBS", no_kafka.path(), "Kafka"),
    ] {
        let mut run = Run::start_with(&["demo", "--port", &place.port()], Input::Ended, &[(variable, value)]);
        assert_eq!(run.ends(BUILD).code(), Some(1), "{}", run.err());
        let last = run.err();
        assert!(last.contains("error: ") && last.contains(words), "{last}");
        run.leaves_nothing(REAP);
    }
}

#[test]
fn another_cluster_is_written_to_only_after_a_yes() {
    let _alone = alone();
    let place = Place::new();
    let kafka = private(&NodeOptions::default());
    let before = kafka.topics();
    let port = place.port();
    let args = ["demo", "--port", &port, "--bootstrap", kafka.bootstrap()];

    // Nobody there, a no, and what is not clearly a yes.
    for (input, answer) in [
        (Input::Ended, None),
        (Input::Open, Some("n\n")),
        (Input::Open, Some("\n")),
        (Input::Open, Some("maybe y\n")),
    ] {
        let mut run = Run::start(&args, input);
        run.says("Go on? y/N", BUILD);
        let planned = run.out();
        assert!(planned.contains(kafka.bootstrap()) && planned.contains("flowdeck.holds"), "{planned}");
        answer.into_iter().for_each(|line| run.answer(line));
        assert_eq!(run.ends(STOP).code(), Some(1), "{answer:?}");
        assert!(run.err().contains("nothing was created"), "{}", run.err());
        run.leaves_nothing(REAP);
        assert_eq!(kafka.topics(), before, "{answer:?}");
    }
    // Ctrl-C instead of an answer.
    let mut run = Run::start(&args, Input::Open);
    run.says("Go on? y/N", BUILD);
    run.signal("INT");
    assert_eq!(run.ends(STOP).code(), Some(130));
    run.leaves_nothing(REAP);
    assert_eq!(kafka.topics(), before);

    let mut run = Run::start(&args, Input::Open);
    run.says("Go on? y/N", BUILD);
    run.answer("y\n");
    run.says(&place.url(), Duration::from_secs(60));
    let planned = run.out();
    run.signal("INT");
    assert!(run.ends(STOP).success());
    run.leaves_nothing(REAP);
    let created: Vec<String> = kafka.topics().into_iter().map(|(name, _)| name).collect();
    assert!(created.len() > before.len(), "{created:?}");
    // It created what it had said, and nothing else; the broker's own topics are not the demo's.
    let unsaid: Vec<_> =
        created.iter().filter(|name| !name.starts_with("__") && !planned.contains(*name)).collect();
    assert!(unsaid.is_empty(), "not announced: {unsaid:?}\n{planned}");

    let mut run = Run::start(&[args.as_slice(), &["--yes"]].concat(), Input::Ended);
    run.says(&place.url(), BUILD);
    assert!(!run.out().contains("Go on?") && run.out().contains("flowdeck.holds"), "{}", run.out());
    run.signal("INT");
    assert!(run.ends(STOP).success());
    run.leaves_nothing(REAP);
}
