//! Faults at random, one after the other, and the server's figures all the while.

use std::time::{Duration, Instant};

use flowdeck_testkit::Network;
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use crate::figures::Figures;
use crate::world::World;

/// The server's last life must be long enough to see whether it grows: no kill after this part of the run.
const KILLS_UNTIL: f64 = 0.3;

#[derive(Clone, Copy, Debug)]
enum Fault {
    Network(Network),
    KillBroker,
    RestartBroker,
    KillServer,
    StopServer,
    /// It leads no more once it goes on.
    FreezeServer,
    /// One of each group.
    KillAgents,
}

fn choose(random: &mut StdRng, kills: bool) -> Fault {
    match random.random_range(0..if kills { 13 } else { 10 }) {
        0 | 1 => Fault::Network(Network::Stall),
        2 => Fault::Network(Network::Cut),
        3 => Fault::Network(Network::HalfOpen),
        4 => Fault::Network(Network::Slow(random.random_range(1_000..20_000))),
        5 => Fault::KillBroker,
        6 => Fault::RestartBroker,
        7 | 8 => Fault::KillAgents,
        9 => Fault::FreezeServer,
        10 | 11 => Fault::KillServer,
        _ => Fault::StopServer,
    }
}

/// What the server took at one moment of its last life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) figures: Figures,
    pub(crate) tasks: u64,
}

/// Faults for `span`; samples of the server's last life, one for each fault.
pub(crate) async fn run(world: &mut World, random: &mut StdRng, span: Duration) -> Vec<Sample> {
    let begun = Instant::now();
    let (mut samples, mut minute) = (Vec::new(), 0);
    while begun.elapsed() < span {
        let kills = begun.elapsed() < span.mul_f64(KILLS_UNTIL);
        let fault = choose(random, kills);
        println!("{:>6.1} s {fault:?}", begun.elapsed().as_secs_f64());
        if matches!(fault, Fault::KillServer | Fault::StopServer) {
            samples.clear();
        }
        happen(world, random, fault).await;
        sleep(Duration::from_millis(random.random_range(1_500..5_000))).await;
        world.server.assert_sound();
        world.assert_agents_sound();
        let sample = sample(world).await;
        if begun.elapsed().as_secs() / 60 > minute {
            minute = begun.elapsed().as_secs() / 60;
            tell(minute, world, sample);
        }
        samples.push(sample);
    }
    samples
}

/// One line for each minute: a soak is read by them.
fn tell(minute: u64, world: &World, Sample { figures, tasks }: Sample) {
    let Figures { handles, threads, .. } = figures;
    println!(
        "minute {minute}: {} MB, {handles} handles, {threads} threads, {tasks} tasks; {} connections to Kafka, {} records handled",
        figures.megabytes(),
        world.proxy.open(),
        world.handled(),
    );
}

pub(crate) async fn sample(world: &World) -> Sample {
    let figures = Figures::of(world.server.process.pid()).expect("the server's figures");
    let tasks = world.server.metric("flowdeck_tasks").await.expect("the number of tasks") as u64;
    Sample { figures, tasks }
}

async fn happen(world: &mut World, random: &mut StdRng, fault: Fault) {
    let mut some = |from: u64, to: u64| Duration::from_millis(random.random_range(from..to));
    match fault {
        Fault::Network(network) => {
            world.proxy.set(network);
            sleep(some(2_000, 12_000)).await;
            world.proxy.set(Network::Pass);
        }
        Fault::KillBroker => {
            world.kafka.kill();
            sleep(some(0, 3_000)).await;
            tokio::task::block_in_place(|| world.kafka.start_again());
        }
        Fault::RestartBroker => tokio::task::block_in_place(|| {
            world.kafka.stop();
            world.kafka.start_again();
        }),
        Fault::KillServer => world.kill_server().await,
        Fault::StopServer => world.stop_server().await,
        Fault::FreezeServer => world.freeze_server(some(1_000, 12_000)).await,
        Fault::KillAgents => {
            for agents in &mut world.groups {
                agents.replace(random.random_range(0..2));
            }
        }
    }
}
