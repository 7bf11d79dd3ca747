//! `cargo xtask soak`: the fault run of the tests, for longer and with several groups, with the server's memory, handles
//! and tasks minute by minute. It fails where they grow beyond the bounds of `tests/faults/end.rs`, or where anything else
//! is not true.
//! `cargo xtask soak agent-records`: the check of an agent's records, for longer, a third of the time in each protocol.
//! `cargo xtask soak agent-start`: an agent starts while there is no broker for a minute.
//! `cargo xtask soak agent-backlog`: an agent's memory before a backlog of 1 GB.
//! `cargo xtask soak fleets`: the four services under all their troubles; `--minutes 10`.
//! `cargo xtask soak redrive`: a re-drive of many records, killed at random.
//! `cargo xtask soak offsets`: a group's offsets are set again and again while server and broker are killed at random;
//! `--operations 1000`.
//! `cargo xtask soak instances`: commands of a group of 1,000 simulated instances and 20 real ones, each answered within 2 s.
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
/// Instances that are processes, beside 1,000 that are simulated.
const REAL_INSTANCES: u64 = 20;
const INSTANCES_LIMIT: Duration = Duration::from_secs(15 * 60);
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
    /// Of faults: how many groups, each with an operator
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    groups: u32,
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
    /// An agent's memory before a backlog of 1 GB
    AgentBacklog,
    Redrive,
    Holds,
    /// The four services under all their troubles
    Fleets,
    Offsets,
    Bulk,
    /// Commands of a group of 1,020 instances
    Instances,
    /// Changed bytes for every decoder of records
    Decoders,
}

/// How long a start goes without a broker.
const ABSENT_SECONDS: u64 = 60;
const PROTOCOLS: u64 = 3;
const BACKLOG_MB: u64 = 1_024;

/// Tests of one target, for longer.
struct Soak {
    what: String,
    target: &'static str,
    /// For the harness: which of its tests, and how.
    tests: &'static [&'static str],
    settings: Vec<(&'static str, u64)>,
    /// Where faults come at random.
    seed: Option<&'static str>,
    limit: Duration,
    needs: Needs,
}

#[derive(PartialEq, Eq)]
enum Needs {
    Nothing,
    Kafka,
    /// And the server and the demo's services.
    Programs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let soak = soak(args);
    let mut needs = vec![Need::Native];
    needs.extend((soak.needs != Needs::Nothing).then_some(Need::Kafka));
    let machine = machine::check(&needs)?;
    // As all tests are built, so that nothing is built twice.
    let words = ["test", "--workspace", "--exclude", "frontend", "--test", soak.target];
    let mut command = cargo(&words);
    command.args(machine.features()).args(["--", "--nocapture"]).args(soak.tests);
    let mut on = String::new();
    if soak.needs != Needs::Nothing {
        command.env(env::KAFKA_LIBS, KafkaHome::resolve(&mut say::step)?.libs());
    }
    if soak.needs == Needs::Programs {
        let programs = build::programs(&machine)?;
        let server = match args.release {
            true => build::release()?.0,
            false => programs.server,
        };
        on = format!(" on {}", shown(&server));
        command.env("FLOWDECK_BIN", &server).env("FLEETS_BIN", &programs.fleets);
    }
    let build = [&words[..], &["--no-run"]].concat();
    must("the build of the tests", cargo(&build).args(machine.features()), BUILD_LIMIT)?;
    say::step(&format!("{}{on}", soak.what));
    for (name, value) in &soak.settings {
        command.env(name, value.to_string());
    }
    if let Some((name, seed)) = soak.seed.zip(args.seed) {
        command.env(name, seed.to_string());
    }
    let status = supervise::run(&soak.what, &command, soak.limit)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn soak(args: &Args) -> Soak {
    let (minutes, seconds) = (args.minutes, u64::from(args.minutes) * 60);
    let for_minutes = Duration::from_secs(seconds) + AROUND;
    match args.what {
        What::Faults => Soak {
            what: format!("{minutes} minutes of faults"),
            target: "faults",
            tests: &[],
            settings: vec![
                ("FLOWDECK_FAULT_SECONDS", seconds),
                ("FLOWDECK_FAULT_GROUPS", args.groups.into()),
            ],
            seed: Some("FLOWDECK_FAULT_SEED"),
            limit: for_minutes,
            needs: Needs::Programs,
        },
        What::AgentRecords => Soak {
            what: format!("{minutes} minutes of records through kills, rebalances and pauses"),
            target: "it",
            tests: &["--test-threads=1", "records::"],
            settings: vec![
                ("FLOWDECK_RECORDS_SECONDS", seconds / PROTOCOLS),
                ("FLOWDECK_RECORDS_A_SECOND", args.records.into()),
            ],
            seed: Some("FLOWDECK_RECORDS_SEED"),
            limit: for_minutes,
            needs: Needs::Kafka,
        },
        What::AgentStart => Soak {
            what: format!("a start without a broker for {ABSENT_SECONDS} s"),
            target: "it",
            tests: &["start::a_start_waits_for_a_broker"],
            settings: vec![("FLOWDECK_ABSENT_SECONDS", ABSENT_SECONDS)],
            seed: None,
            limit: Duration::from_secs(ABSENT_SECONDS) + AROUND,
            needs: Needs::Kafka,
        },
        What::AgentBacklog => Soak {
            what: format!("an agent before a backlog of {BACKLOG_MB} MB"),
            settings: vec![("FLOWDECK_BACKLOG_MB", BACKLOG_MB)],
            ..of_system(&["memory_of_an_agent_is_bounded_before_a_backlog"], AROUND)
        },
        What::Decoders => Soak {
            what: format!("{minutes} minutes of changed bytes for every decoder"),
            target: "fuzz",
            tests: &[],
            settings: vec![("FLOWDECK_DECODERS_SECONDS", seconds)],
            seed: Some("FLOWDECK_DECODERS_SEED"),
            limit: for_minutes,
            needs: Needs::Nothing,
        },
        What::Redrive => Soak {
            what: format!("a re-drive of {REDRIVE_RECORDS} records"),
            settings: vec![("FLOWDECK_REDRIVE_RECORDS", REDRIVE_RECORDS.into())],
            seed: Some("FLOWDECK_REDRIVE_SEED"),
            ..of_system(&["redrive_killed_at_random"], REDRIVE_LIMIT)
        },
        What::Holds => Soak {
            what: format!("{} faults under holds", args.rounds),
            settings: vec![("FLOWDECK_HOLDS_ROUNDS", args.rounds.into())],
            seed: Some("FLOWDECK_HOLDS_SEED"),
            ..of_system(&["holds_survive_deploys_crashes_and_scale_outs"], HOLDS_LIMIT)
        },
        What::Fleets => Soak {
            what: format!("{minutes} minutes of the services' troubles"),
            settings: vec![("FLOWDECK_FLEETS_SECONDS", seconds)],
            ..of_system(&["services_under_their_troubles"], for_minutes)
        },
        What::Offsets => offsets(args, for_minutes),
        What::Bulk => Soak {
            what: format!("a bulk operation over {BULK_GROUPS} groups"),
            settings: vec![("FLOWDECK_BULK_GROUPS", BULK_GROUPS.into())],
            ..of_system(&["bulk_killed_in_the_middle_goes_on_and_undo_brings_all_groups_back"], BULK_LIMIT)
        },
        What::Instances => Soak {
            what: format!("commands of a group of 1,000 simulated instances and {REAL_INSTANCES} real ones"),
            settings: vec![("FLOWDECK_INSTANCES_REAL", REAL_INSTANCES)],
            ..of_system(&["group_command_is_answered_by_a_thousand_instances"], INSTANCES_LIMIT)
        },
    }
}

/// Of the tests of the whole.
fn of_system(tests: &'static [&'static str], limit: Duration) -> Soak {
    Soak {
        what: String::new(),
        target: "system",
        tests,
        settings: vec![],
        seed: None,
        limit,
        needs: Needs::Programs,
    }
}

fn offsets(args: &Args, for_minutes: Duration) -> Soak {
    let (what, setting, limit) = match args.operations {
        Some(count) => (
            format!("{count} operations on offsets through kills"),
            ("FLOWDECK_OFFSETS_OPERATIONS", u64::from(count)),
            Duration::from_secs(u64::from(count) * SECONDS_FOR_ONE) + AROUND,
        ),
        None => (
            format!("{} minutes of offsets that are set through kills", args.minutes),
            ("FLOWDECK_OFFSETS_SECONDS", u64::from(args.minutes) * 60),
            for_minutes,
        ),
    };
    Soak {
        what,
        settings: vec![setting],
        seed: Some("FLOWDECK_OFFSETS_SEED"),
        ..of_system(&["no_offset_changes_without_an_operation_in_the_audit"], limit)
    }
}

/// As seen from the checkout.
fn shown(server: &std::path::Path) -> String {
    server.strip_prefix(target()).unwrap_or(server).display().to_string()
}
