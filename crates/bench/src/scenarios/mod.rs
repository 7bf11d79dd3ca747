//! The scenarios by name. A new one: a module here, a variant, an arm.

mod agent_workers;
mod first_page;
mod fleet;
mod growth;
mod idle;
mod pause;
mod peek;
mod search;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use flowdeck_testkit::Kafka;

use crate::figure::Figure;

/// What a run is given: a broker of its own and the binary to measure.
pub(crate) struct Context {
    pub(crate) kafka: Kafka,
    pub(crate) server: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Scenario {
    FirstPage,
    Fleet,
    Growth,
    Idle,
    Peek,
    Search,
    Pause,
    AgentWorkers,
}

impl Scenario {
    pub(crate) fn all() -> impl Iterator<Item = String> {
        let values = Self::value_variants().iter();
        values.filter_map(|scenario| scenario.to_possible_value()).map(|value| value.get_name().to_owned())
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Vec<Figure>> {
        match self {
            Self::FirstPage => first_page::run(context).await,
            Self::Growth => growth::run(context).await,
            Self::Fleet => fleet::run(context).await,
            Self::Idle => idle::run(context).await,
            Self::Peek => peek::run(context).await,
            Self::Search => search::run(context).await,
            Self::Pause => pause::run(context).await,
            Self::AgentWorkers => agent_workers::run(context).await,
        }
    }
}
