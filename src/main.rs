//! The command line: reads the configuration, starts the admin service, serves until told to stop.

mod check;
mod run;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use flowdeck::auth;
use flowdeck::cli::{Cli, Command, ServeArgs};
use flowdeck::config::{Config, Environment, LogFormat};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(args) => serve(&args),
        Command::HashPassword => hash_password(),
        Command::NewToken => new_token(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("flowdeck: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn hash_password() -> anyhow::Result<ExitCode> {
    println!("{}", auth::hash_password()?);
    Ok(ExitCode::SUCCESS)
}

fn new_token() -> anyhow::Result<ExitCode> {
    let (token, hash) = auth::new_token();
    println!("token: {token}\nhash:  {hash}");
    Ok(ExitCode::SUCCESS)
}

fn serve(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let flags = args.flags();
    let load = move || Config::load(&flags, &Environment::of_process());
    let mut config = load()?;
    log(&config);
    // Hashing takes its time: before the runtime, and not for a check.
    let one_time = if args.check { None } else { config.auth.make_one_time_password()? };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = if args.check {
        runtime.block_on(check::run(&config))
    } else {
        runtime.block_on(run::run(config, one_time, std::sync::Arc::new(load)))
    };
    // A read of a broker that never answers must not hold the end.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

/// To stderr: stdout is for the one line that says where the pages are.
fn log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::new(config.log_level.directives());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
