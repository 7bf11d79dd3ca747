//! `cargo xtask soak`: the fault run of the tests, for longer, with the server's memory, handles and tasks minute by
//! minute. It fails where they grow beyond the bounds of `tests/faults/end.rs`, or where anything else is not true.
//! `cargo xtask soak agent-records`: the check of an agent's records, for longer, a third of the time in each protocol.
//! `cargo xtask soak agent-start`: an agent starts while there is no broker for a minute.
//! `cargo xtask soak fleets`: the four services under all their troubles; `--minutes 10`.
//! `cargo xtask soak redrive`: a re-drive of many records, killed at random.
//! `cargo xtask soak offsets`: a group's offsets are set again and again while server and broker are killed at random;
//! `--operations 1000`.
//! `cargo xtask soak bulk`: one operation over 200 groups, killed in the middle and taken back.
//! `cargo xtask soak decoders`: bytes that nobody wrote, for every decoder of records.
//! `cargo xtask soak holds`: deploys, crashes and scale-outs under holds, with consumers that lock up as KafkaFlow does.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use flowdeck_broker::{KafkaHome, env, supervise};

use crate::machine::{self, Need};
use crate::workspace::{cargo, must, target};
use crate::{build, say};

const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);
/// Beside the faults: the start, and the look at what is left at the end.
const AROUND: Duration = Duration::from_secs(10 * 60);

/// Records of a re-drive.
const REDRIVE_RECORDS: u32 = 100_000;
const REDRIVE_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Groups of a bulk operation: 0.4 s for each on an idle machine.
const BULK_GROUPS: u32 = 200;
const BULK_LIMIT: Duration = Duration::from_secs(20 * 60);
/// A round of holds takes 1 to 3 minutes.
const HOLD_ROUNDS: u32 = 50;
const HOLDS_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);

/// Of offsets, on a slow machine: with its part of the kills, after which another server leads some seconds later.
const SECONDS_FOR_ONE: u64 = 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What runs; `redrive`: a re-drive of 100,000 records that is killed at random; `holds`: faults under holds;
    /// `offsets`: offsets are set while server and broker are killed; `bulk`: one operation over 200 groups
    #[arg(value_enum, default_value_t = What::Faults)]
    what: What,
    /// How long faults come
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// The seed of an earlier run: the same faults in the same order
    #[arg(long)]
    seed: Option<u32>,
    /// A release build of the server; else the debug build
    #[arg(long)]
    release: bool,
    /// Of agent-records: how many are written a second
    #[arg(long, default_value_t = 1_500)]
    records: u32,
    /// Of holds: how many rounds
    #[arg(long, default_value_t = HOLD_ROUNDS, value_parser = clap::value_parser!(u32).range(2..))]
    rounds: u32,
    /// Of offsets: so many operations, however long that takes; else as many as the minutes suffice for
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    operations: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Faults,
    AgentRecords,
    /// An agent starts while there is no broker for a minute
    AgentStart,
    Redrive,
    Holds,
    /// The four services under all their troubles
    Fleets,
    Offsets,
    Bulk,
    /// Changed bytes for every decoder of records
    Decoders,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match args.what {
        What::Faults | What::Redrive | What::Holds | What::Fleets | What::Offsets | What::Bulk => {
            faults(args)
        }
        What::AgentRecords => agent_records(args),
        What::Decoders => decoders(args),
        What::AgentStart => agent_start(),
    }
}

fn decoders(args: &Args) -> Result<ExitCode> {
    let machine = machine::check(&[Need::Native])?;
    let words = ["test", "--workspace", "--exclude", "frontend", "--test", "fuzz"];
    let build = [&words[..], &["--no-run"]].concat();
    must("the build of the decoders' check", cargo(&build).args(machine.features()), BUILD_LIMIT)?;
    let seconds = u64::from(args.minutes) * 60;
    say::step(&format!("{} minutes of changed bytes for every decoder", args.minutes));
    let mut soak = cargo(&words);
    soak.args(machine.features()).args(["--", "--nocapture"]);
    soak.env("FLOWDECK_DECODERS_SECONDS", seconds.to_string());
    if let Some(seed) = args.seed {
        soak.env("FLOWDECK_DECODERS_SEED", seed.to_string());
    }
    let status = supervise::run("the decoders' check", &soak, Duration::from_secs(seconds) + AROUND)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const ABSENT_SECONDS: u64 = 60;

fn agent_start() -> Result<ExitCode> {
    let machine = machine::check(&[Need::Native, Need::Kafka])?;
    let home = KafkaHome::resolve(&mut say::step)?;
    let words = ["test", "--workspace", "--exclude", "frontend", "--test", "it"];
    let build = [&words[..], &["--no-run"]].concat();
    must("the build of the agent's tests", cargo(&build).args(machine.features()), BUILD_LIMIT)?;
    say::step(&format!("a start without a broker for {ABSENT_SECONDS} s"));
    let mut soak = cargo(&words);
    soak.args(machine.features()).args(["--", "--nocapture", "start::a_start_waits_for_a_broker"]);
    soak.env("FLOWDECK_ABSENT_SECONDS", ABSENT_SECONDS.to_string()).env(env::KAFKA_LIBS, home.libs());
    let status = supervise::run("the start", &soak, Duration::from_secs(ABSENT_SECONDS) + AROUND)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const PROTOCOLS: u64 = 3;

fn agent_records(args: &Args) -> Result<ExitCode> {
    let machine = machine::check(&[Need::Native, Need::Kafka])?;
    let home = KafkaHome::resolve(&mut say::step)?;
    let words = ["test", "--workspace", "--exclude", "frontend", "--test", "it"];
    let build = [&words[..], &["--no-run"]].concat();
    must("the build of the records' check", cargo(&build).args(machine.features()), BUILD_LIMIT)?;
    let seconds = u64::from(args.minutes) * 60;
    say::step(&format!("{} minutes of records through kills, rebalances and pauses", args.minutes));
    let mut soak = cargo(&words);
    soak.args(machine.features()).args(["--", "--nocapture", "--test-threads=1", "records::"]);
    soak.env("FLOWDECK_RECORDS_SECONDS", (seconds / PROTOCOLS).to_string());
    soak.env("FLOWDECK_RECORDS_A_SECOND", args.records.to_string()).env(env::KAFKA_LIBS, home.libs());
    if let Some(seed) = args.seed {
        soak.env("FLOWDECK_RECORDS_SEED", seed.to_string());
    }
    let status = supervise::run("the records' check", &soak, Duration::from_secs(seconds) + AROUND)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn faults(args: &Args) -> Result<ExitCode> {
    let machine = machine::check(&[Need::Native, Need::Kafka])?;
    let home = KafkaHome::resolve(&mut say::step)?;
    let programs = build::programs(&machine)?;
    let server = match args.release {
        true => build::release()?.0,
        false => programs.server,
    };
    if let Some(of_system) = of_system(args) {
        return system(args, &of_system, &machine, &server, &programs.fleets, &home);
    }
    // As all tests are built, so that nothing is built twice.
    let words = ["test", "--workspace", "--exclude", "frontend", "--test", "faults"];
    let build = [&words[..], &["--no-run"]].concat();
    must("the build of the fault run", cargo(&build).args(machine.features()), BUILD_LIMIT)?;

    let seconds = u64::from(args.minutes) * 60;
    say::step(&format!("{} minutes of faults on {}", args.minutes, shown(&server)));
    let mut soak = cargo(&words);
    soak.args(machine.features()).args(["--", "--nocapture"]);
    soak.env("FLOWDECK_FAULT_SECONDS", seconds.to_string());
    soak.env("FLOWDECK_BIN", &server).env("FLEETS_BIN", &programs.fleets).env(env::KAFKA_LIBS, home.libs());
    if let Some(seed) = args.seed {
        soak.env("FLOWDECK_FAULT_SEED", seed.to_string());
    }
    let status = supervise::run("the fault run", &soak, Duration::from_secs(seconds) + AROUND)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One of the tests of the whole, for longer.
struct OfSystem {
    what: String,
    test: &'static str,
    setting: (&'static str, u32),
    /// Where faults come at random.
    seed: Option<&'static str>,
    limit: Duration,
}

fn offsets(args: &Args) -> OfSystem {
    let minutes = u64::from(args.minutes) * 60;
    let (what, setting, seconds) = match args.operations {
        Some(count) => {
            let what = format!("{count} operations on offsets through kills");
            (what, ("FLOWDECK_OFFSETS_OPERATIONS", count), u64::from(count) * SECONDS_FOR_ONE)
        }
        None => {
            let what = format!("{} minutes of offsets that are set through kills", args.minutes);
            (what, ("FLOWDECK_OFFSETS_SECONDS", args.minutes.saturating_mul(60)), minutes)
        }
    };
    OfSystem {
        what,
        test: "no_offset_changes_without_an_operation_in_the_audit",
        setting,
        seed: Some("FLOWDECK_OFFSETS_SEED"),
        limit: Duration::from_secs(seconds) + AROUND,
    }
}

fn of_system(args: &Args) -> Option<OfSystem> {
    match args.what {
        What::Redrive => Some(OfSystem {
            what: format!("a re-drive of {REDRIVE_RECORDS} records"),
            test: "redrive_killed_at_random",
            setting: ("FLOWDECK_REDRIVE_RECORDS", REDRIVE_RECORDS),
            seed: Some("FLOWDECK_REDRIVE_SEED"),
            limit: REDRIVE_LIMIT,
        }),
        What::Holds => Some(OfSystem {
            what: format!("{} faults under holds", args.rounds),
            test: "holds_survive_deploys_crashes_and_scale_outs",
            setting: ("FLOWDECK_HOLDS_ROUNDS", args.rounds),
            seed: Some("FLOWDECK_HOLDS_SEED"),
            limit: HOLDS_LIMIT,
        }),
        What::Fleets => Some(OfSystem {
            what: format!("{} minutes of the services' troubles", args.minutes),
            test: "services_under_their_troubles",
            setting: ("FLOWDECK_FLEETS_SECONDS", args.minutes.saturating_mul(60)),
            seed: None,
            limit: Duration::from_secs(u64::from(args.minutes) * 60) + AROUND,
        }),
        What::Offsets => Some(offsets(args)),
        What::Bulk => Some(OfSystem {
            what: format!("a bulk operation over {BULK_GROUPS} groups"),
            test: "bulk_killed_in_the_middle_goes_on_and_undo_brings_all_groups_back",
            setting: ("FLOWDECK_BULK_GROUPS", BULK_GROUPS),
            seed: None,
            limit: BULK_LIMIT,
        }),
        What::Faults | What::AgentRecords | What::AgentStart | What::Decoders => None,
    }
}

fn system(
    args: &Args,
    of: &OfSystem,
    machine: &machine::Machine,
    server: &std::path::Path,
    fleets: &std::path::Path,
    home: &KafkaHome,
) -> Result<ExitCode> {
    let words = ["test", "--workspace", "--exclude", "frontend", "--test", "system"];
    let build = [&words[..], &["--no-run"]].concat();
    must("the build of the tests", cargo(&build).args(machine.features()), BUILD_LIMIT)?;
    say::step(&format!("{} on {}", of.what, shown(server)));
    let mut soak = cargo(&words);
    soak.args(machine.features()).args(["--", "--nocapture", of.test]);
    soak.env(of.setting.0, of.setting.1.to_string());
    soak.env("FLOWDECK_BIN", server).env("FLEETS_BIN", fleets).env(env::KAFKA_LIBS, home.libs());
    if let Some((name, seed)) = of.seed.zip(args.seed) {
        soak.env(name, seed.to_string());
    }
    let status = supervise::run(&of.what, &soak, of.limit)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// As seen from the checkout.
fn shown(server: &std::path::Path) -> String {
    server.strip_prefix(target()).unwrap_or(server).display().to_string()
}
