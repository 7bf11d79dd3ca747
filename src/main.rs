//! The command line: reads the configuration, starts the admin service, serves until told to stop.

mod check;
mod holds;
mod run;
mod test_alerts;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use flowdeck::auth;
use flowdeck::cli::{Cli, Command, ServeArgs};
use flowdeck::client;
use flowdeck::client::args::Ask;
use flowdeck::config::{Config, Environment, LogFormat};
use flowdeck::handles;
use flowdeck::lines::{self, LostLines};
use flowdeck::probe;
use tracing_appender::non_blocking::WorkerGuard;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(args) => serve(&args),
        Command::Health(args) => probe::ask(args.listen).map(|()| ExitCode::SUCCESS),
        Command::Ask(ask) => return ask_server(&ask),
        Command::Holds(args) => holds::run(&args),
        Command::TestAlerts { config, receiver } => test_alerts::run(config, receiver.as_deref()),
        Command::Completions { shell } => completions(shell),
        Command::HashPassword => hash_password(),
        Command::NewToken => new_token(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Where nobody can be told, the exit code says it.
            let _ = writeln!(std::io::stderr().lock(), "flowdeck: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Its exit codes are for scripts, and of its own.
fn ask_server(ask: &Ask) -> ExitCode {
    match client::run(ask) {
        Ok(exit) => exit.into(),
        Err(failed) => {
            let _ = writeln!(std::io::stderr().lock(), "flowdeck: {}", failed.words);
            failed.exit.into()
        }
    }
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "flowdeck", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

fn hash_password() -> anyhow::Result<ExitCode> {
    print(&format!("{}\n", auth::hash_password()?))?;
    Ok(ExitCode::SUCCESS)
}

fn new_token() -> anyhow::Result<ExitCode> {
    let (token, hash) = auth::new_token();
    print(&format!("token: {token}\nhash:  {hash}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Where nobody reads it any more that is an error, and no panic.
fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("write to standard output")
}

fn serve(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    flowdeck_kafka::share_one_heap();
    let flags = args.flags();
    let load = move || Config::load(&flags, &Environment::of_process());
    let mut config = load()?;
    let (lost, _guard) = log(&config);
    if !args.check {
        let (limits, note) = handles::fit(config.limits, config.clusters.len(), handles::raise())?;
        config.limits = limits;
        config.notes.extend(note);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = if args.check {
        runtime.block_on(check::run(&config))
    } else {
        let hang_up = {
            let _inside = runtime.enter();
            run::hang_up()?
        };
        // Hashing takes its time: not on the runtime.
        let one_time = config.auth.make_one_time_password()?;
        runtime.block_on(run::run(config, one_time, lost, hang_up, Arc::new(load)))
    };
    // A read of a broker that never answers must not hold the end.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

/// To stderr: stdout is for the lines that say where the pages are.
fn log(config: &Config) -> (Arc<LostLines>, WorkerGuard) {
    let (writer, lost, guard) = lines::to_stderr();
    let filter = tracing_subscriber::EnvFilter::new(config.log_level.with_audit());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // It would tell of a line that is lost on standard error, and panic where that is full.
    let log = log.log_internal_errors(false);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    (lost, guard)
}
