//! `flowdeck-fleets service`: one service as a process of its own, by its environment.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use clap::Args;
use flowdeck_agent::environment::KafkaSettings;
use tokio::net::TcpListener;

use super::{Fleet, Runtime, http, schedule};
use crate::run::until_signal;

#[derive(Debug, Clone, Args)]
pub struct ServiceOptions {
    #[arg(value_enum)]
    pub fleet: Fleet,
    /// Where Kafka answers, if the environment is not to say it
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap: Option<String>,
    /// A property of librdkafka's, over what the environment says; may be repeated
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = crate::cluster::property)]
    pub properties: Vec<(String, String)>,
    /// Where its HTTP answers
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Troubles come by themselves, one after the other
    #[arg(long)]
    pub troubles: bool,
}

/// Names of variables that name brokers.
const BROKERS: [&str; 4] = [
    "KAFKA_BOOTSTRAP_SERVERS",
    "Kafka__BootstrapServers",
    "ConvexMessaging__BootstrapServers",
    "ConnectionStrings__Messaging",
];

/// What the environment says, and the service's own values for the rest.
///
/// # Errors
/// Where the environment says nothing of brokers and no address is given, or is not understood.
pub fn settings(
    fleet: Fleet,
    environment: impl IntoIterator<Item = (String, String)>,
    bootstrap: Option<&str>,
    properties: &[(String, String)],
) -> Result<KafkaSettings> {
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let brokers = |name: &str| BROKERS.iter().any(|one| is(name, one));
    let mut variables: Vec<(String, String)> =
        environment.into_iter().filter(|(name, _)| bootstrap.is_none() || !brokers(name)).collect();
    for (name, value) in fleet.variables(bootstrap.unwrap_or_default()) {
        let there = variables.iter().any(|(one, _)| is(one, &name));
        if !there && !value.is_empty() {
            variables.push((name, value));
        }
    }
    let mut settings = KafkaSettings::from_variables(variables).context("read the environment")?;
    settings.properties.extend(properties.iter().cloned());
    Ok(settings)
}

pub async fn run(options: ServiceOptions) -> Result<()> {
    let stop = until_signal()?;
    end_with_parent();
    let variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let named =
        |wanted: &str| variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let environment = named("ASPNETCORE_ENVIRONMENT").or_else(|| named("DOTNET_ENVIRONMENT"));
    let fleet = options.fleet;
    let settings = settings(fleet, variables, options.bootstrap.as_deref(), &options.properties)?;
    let runtime = Runtime::new(settings).in_environment(environment);
    let listener =
        TcpListener::bind(options.listen).await.with_context(|| format!("listen at {}", options.listen))?;
    let started = tokio::select! {
        started = fleet.start(&runtime) => started.with_context(|| format!("start {}", fleet.name())),
        () = stop.cancelled() => return Ok(()),
    };
    let own = match started {
        Ok(own) => own,
        Err(error) => {
            runtime.end().await;
            return Err(error);
        }
    };
    if options.troubles {
        schedule::start(&runtime);
    }
    println!("{}: {}", fleet.name(), http::serve(&runtime, listener, own)?);
    stop.cancelled().await;
    runtime.end().await;
    Ok(())
}

/// A supervisor that is killed leaves nothing behind.
fn end_with_parent() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
    {
        tracing::warn!("a killed supervisor would leave this service behind: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fleet: Fleet, environment: &[(&str, &str)], bootstrap: Option<&str>) -> KafkaSettings {
        let all = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        settings(fleet, all, bootstrap, &[]).unwrap()
    }

    #[test]
    fn the_environment_wins_over_the_services_own_values() {
        let environment = [("kafka_bootstrap_servers", "a:1"), ("KAFKA_TOPIC_PREFIX", "bets")];
        let convex = of(Fleet::Convex, &environment, None);
        assert_eq!((convex.brokers.as_str(), convex.topic_prefix.as_deref()), ("a:1", Some("bets")));
        assert_eq!(convex.group.as_deref(), Some("convex-group"));
        let convex = of(Fleet::Convex, &environment, Some("b:2"));
        assert_eq!((convex.brokers.as_str(), convex.topic_prefix.as_deref()), ("b:2", Some("bets")));
    }

    #[test]
    fn each_service_has_its_own_names() {
        for fleet in [Fleet::Novatune, Fleet::CustomService, Fleet::Convex, Fleet::Momentum] {
            assert_eq!(of(fleet, &[], Some("k:9")).brokers, "k:9", "{fleet:?}");
            assert!(settings(fleet, [], None, &[]).is_err(), "{fleet:?}: no brokers are named");
        }
    }
}
