//! The fault run: the program, groups of two agents and a Kafka behind a network, all as processes, while pages, API and
//! streams are read and each group has an operator, who gives pauses and resumes. Faults come at random, by a seed that is printed:
//!
//! - `FLOWDECK_FAULT_SECONDS`: how long (110); `cargo xtask soak` makes it minutes or hours.
//! - `FLOWDECK_FAULT_GROUPS`: how many groups (1), in turn of the two classic protocols and of KIP-848.
//! - `FLOWDECK_FAULT_SEED`: the seed of an earlier run, for the same faults in the same order.
//! - `FLOWDECK_BIN`: another server than the debug build.
//!
//! What must hold all the while is in `watch` and `operator`, what must hold at the end in `end`.

mod acks;
mod agents;
mod end;
#[path = "../system/figures.rs"]
#[allow(dead_code, reason = "the system tests use the rest")]
mod figures;
mod operator;
mod plan;
mod relay;
mod site;
#[path = "../system/support.rs"]
#[allow(dead_code, reason = "the system tests use the rest")]
mod support;
mod watch;
mod world;

use std::time::Duration;

use flowdeck_testkit::Network;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use support::setting;
use world::World;

/// A restart takes up to a minute, with faults minutes: a shorter run has the time for pauses alone.
const LONG: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn what_pages_and_commands_say_stays_true_through_minutes_of_faults() {
    let span = Duration::from_secs(setting("FLOWDECK_FAULT_SECONDS").unwrap_or(110));
    let seed = setting("FLOWDECK_FAULT_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("fault run of {} s, FLOWDECK_FAULT_SEED={seed}", span.as_secs());
    let groups = setting("FLOWDECK_FAULT_GROUPS").unwrap_or(1).max(1) as usize;
    let mut world = World::start(groups, seed, span >= LONG).await;
    let mut random = StdRng::seed_from_u64(seed);
    let watched = watch::start(&world);
    let operated = operator::start(&world, seed, span >= LONG);
    let figures = tokio::select! {
        figures = plan::run(&mut world, &mut random, span) => Some(figures),
        () = operated.one_ended() => None,
    };
    let Some(figures) = figures else {
        println!("{}", world.server.process.log());
        panic!("an operator found something wrong: above is the server's log");
    };
    world.proxy.set(Network::Pass);
    let operated = operated.end().await;
    let watched = watched.end().await;
    println!("{operated}\n{watched}\n{}", world.relay.told());
    operated.assert_tried();
    end::check(&mut world, &figures).await;
}
