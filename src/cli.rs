//! The command line: what can be asked of the program, and nothing of how it is done.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use flowdeck_model::view::Mode;
use flowdeck_model::{ClusterName, GroupId, HoldId};

use crate::client::args::Ask;
use crate::config::{Config, Flags, Listen};

/// The web dashboard beside your Kafka consumers.
#[derive(Debug, Parser)]
#[command(name = "flowdeck", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the dashboard.
    Serve(ServeArgs),
    #[command(flatten)]
    Ask(Ask),
    /// The holds on Kafka itself, where no Flowdeck can be reached.
    #[command(subcommand)]
    Holds(Holds),
    /// Post a test to the receivers of alerts, and say what they answer.
    TestAlerts {
        /// The configuration file; `flowdeck.toml` in the working directory, if it is there.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Only this receiver.
        #[arg(long, value_name = "NAME")]
        receiver: Option<String>,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Ask a running server whether it lives, over HTTP or HTTPS; fails where it does not.
    Health(HealthArgs),
    /// Read a password, from the terminal or one line of standard input, and print its hash for
    /// `auth.users.password_hash`.
    HashPassword,
    /// Make a bearer token; print it, for the script, and its hash, for `auth.tokens.hash`. It is
    /// shown this once.
    NewToken,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file; `flowdeck.toml` in the working directory, if it is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8077].
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<String>,
    /// Listen beyond loopback although there is no sign-in: the network keeps others out.
    #[arg(long)]
    pub insecure_listen: bool,
    /// The path under which the pages lie [default: /kafkaflow].
    #[arg(long, value_name = "PATH")]
    pub base: Option<String>,
    /// A cluster, or other brokers for a configured one. May be given more than once.
    #[arg(long = "cluster", value_name = "NAME=HOST:PORT")]
    pub clusters: Vec<String>,
    /// For every cluster: `observe` writes nothing, `control` offers pause and resume.
    #[arg(long)]
    pub mode: Option<ModeArg>,
    /// Log level, or directives such as `info,flowdeck_kafka=debug`.
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    /// Print what is in force, secrets hidden, and what each cluster can do; then exit.
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Subcommand)]
pub enum Holds {
    /// List the holds that are in force.
    List {
        #[command(flatten)]
        at: OnKafka,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Release the holds of a group, which resumes the services with flowdeck-agent. A consumer of KafkaFlow is resumed
    /// by a Flowdeck, or by its own dashboard.
    Release {
        #[command(flatten)]
        at: OnKafka,
        /// The group that is held.
        group: GroupId,
        /// Only this hold.
        #[arg(long)]
        id: Option<HoldId>,
        /// Why: the next person on call reads it.
        #[arg(long)]
        reason: String,
    },
}

/// Which cluster, and how it is reached.
#[derive(Debug, Args)]
pub struct OnKafka {
    /// The configuration file; `flowdeck.toml` in the working directory, if it is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The configured cluster, where there are several.
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// Its brokers, where none is configured.
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["config", "cluster"])]
    pub bootstrap: Option<String>,
}

impl OnKafka {
    pub fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            clusters: self.bootstrap.iter().map(|brokers| format!("kafka={brokers}")).collect(),
            ..Flags::default()
        }
    }
}

#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Where it listens.
    #[arg(long, value_name = "IP:PORT", env = "FLOWDECK_LISTEN", default_value_t = Config::default().listen, value_parser = address)]
    pub listen: SocketAddr,
}

/// An empty variable is one that is not set, as everywhere.
fn address(text: &str) -> Result<SocketAddr, String> {
    if text.is_empty() {
        return Ok(Config::default().listen);
    }
    text.parse().map(|Listen(address)| address)
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ModeArg {
    Observe,
    Control,
}

impl ServeArgs {
    pub fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            listen: self.listen.clone(),
            base: self.base.clone(),
            mode: self.mode.map(|mode| match mode {
                ModeArg::Observe => Mode::Observe,
                ModeArg::Control => Mode::Control,
            }),
            clusters: self.clusters.clone(),
            insecure_listen: self.insecure_listen,
            log: self.log.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    fn undescribed(command: &clap::Command, path: &str) -> Vec<String> {
        let path = format!("{path} {}", command.get_name());
        let own = command.get_arguments().filter(|one| one.get_help().is_none());
        let own = own.map(|one| format!("{path}: {}", one.get_id()));
        let below = command.get_subcommands().flat_map(|one| undescribed(one, &path));
        own.chain(below).collect()
    }

    #[test]
    fn every_argument_says_what_it_is() {
        let command = Cli::command();
        command.clone().debug_assert();
        assert_eq!(undescribed(&command, ""), [""; 0]);
    }
}
