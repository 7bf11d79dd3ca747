//! What is in force, as text for a person, in the form of the file. Values of properties are shown
//! only where they cannot be secrets.

use std::fmt::Write as _;

use flowdeck_model::verdict::RebalanceLimits;
use flowdeck_model::view::Mode;
use flowdeck_observe::{ConfiguredDecoder, TopicSettings};

use super::alerts;
use super::cluster::{ClusterConfig, SHOWN};
use super::labels::Labels;
use super::schema::Config;
use super::values::LogFormat;
use crate::auth::AuthMode;

impl Config {
    pub fn in_force(&self) -> String {
        let mut out = String::new();
        // Writing to a String does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        match &self.file {
            Some(path) => writeln!(out, "# from {}, the environment and flags", path.display())?,
            None => writeln!(out, "# from the environment and flags; there is no file")?,
        }
        for note in &self.notes {
            writeln!(out, "# {note}")?;
        }
        writeln!(out, "listen = {:?}", self.listen.to_string())?;
        writeln!(out, "insecure_listen = {}", self.insecure_listen)?;
        writeln!(out, "base = {:?}", self.base.as_str())?;
        if let Some(url) = &self.public_url {
            writeln!(out, "public_url = {:?}", url.origin())?;
        }
        let hosts: Vec<&str> = self.allowed_hosts.iter().map(|host| host.as_str()).collect();
        writeln!(out, "allowed_hosts = {hosts:?}")?;
        let proxies: Vec<String> = self.trusted_proxies.iter().map(ToString::to_string).collect();
        writeln!(out, "trusted_proxies = {proxies:?}")?;
        if let Some(tls) = &self.tls {
            writeln!(out, "tls = {{ certificate = {:?}, key = {:?} }}", tls.certificate, tls.key)?;
        }
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        writeln!(out, "log = {{ level = {:?}, format = {format:?} }}", self.log_level.directives())?;
        let limits = &self.limits;
        writeln!(
            out,
            "limits = {{ streams = {}, streams_per_session = {}, streams_per_client = {}, connections = {}, requests = {}, body = {}, \
             request_seconds = {}, head_seconds = {}, stall_seconds = {} }}",
            limits.streams,
            limits.streams_per_session,
            limits.streams_per_client,
            limits.connections,
            limits.requests,
            limits.body,
            limits.request_seconds,
            limits.head_seconds,
            limits.stall_seconds
        )?;
        self.write_rebalancing(out)?;
        writeln!(out, "verdicts = {}", self.verdicts.in_force())?;
        writeln!(out, "metrics = {}", self.metrics.in_force())?;
        writeln!(out, "labels = {}", Labels::in_force(&self.labels))?;
        self.write_auth(out)?;
        out.push_str(&alerts::in_force(&self.alerts));
        self.clusters.iter().try_for_each(|cluster| write_cluster(out, cluster))
    }
}

impl Config {
    fn write_rebalancing(&self, out: &mut String) -> std::fmt::Result {
        let time = humantime::format_duration;
        let limits = |limits: RebalanceLimits| {
            format!("warning = \"{}\", critical = \"{}\"", time(limits.warning), time(limits.critical))
        };
        let of = &self.rebalancing;
        let groups = of
            .groups
            .iter()
            .map(|(pattern, of)| format!("{{ pattern = {:?}, {} }}", pattern.as_str(), limits(*of)));
        let groups: Vec<String> = groups.collect();
        writeln!(out, "rebalancing = {{ {}, groups = [{}] }}", limits(of.limits), groups.join(", "))
    }

    /// Never a hash, nor Redis' address, which may hold a password.
    fn write_auth(&self, out: &mut String) -> std::fmt::Result {
        let auth = &self.auth;
        if auth.mode == AuthMode::None {
            return writeln!(out, "auth = {{ mode = \"none\" }}");
        }
        let (users, tokens) = auth.counts();
        let place = if auth.in_redis() { "in Redis" } else { "in this process" };
        writeln!(out, "# {users} users, {tokens} tokens, sessions {place}")?;
        if auth.one_time_password() {
            writeln!(out, "# the one user's password is made and printed at the start")?;
        }
        let time = humantime::format_duration;
        let (idle, absolute) = (time(auth.session.idle), time(auth.session.absolute));
        writeln!(
            out,
            "auth = {{ mode = \"local\", session = {{ idle = \"{idle}\", absolute = \"{absolute}\" }} }}"
        )
    }
}

fn write_cluster(out: &mut String, cluster: &ClusterConfig) -> std::fmt::Result {
    writeln!(out, "\n[clusters.{:?}]", cluster.name.as_str())?;
    writeln!(out, "label = {:?}", cluster.label.as_deref().unwrap_or(cluster.name.as_str()))?;
    writeln!(out, "colour = {:?}", cluster.colour.key())?;
    let mode = match cluster.mode {
        Mode::Observe => "observe",
        Mode::Control => "control",
    };
    writeln!(out, "mode = {mode:?}")?;
    writeln!(out, "bootstrap = {:?}", cluster.bootstrap)?;
    if let Some(lag) = cluster.allowed_lag {
        writeln!(out, "allowed_lag = {lag}")?;
    }
    if let Some(refresh) = cluster.refresh {
        writeln!(out, "refresh = {:?}", humantime::format_duration(refresh).to_string())?;
    }
    if let Some(requests) = cluster.requests_per_second {
        writeln!(out, "requests_per_second = {requests}")?;
    }
    if let Some(quiet) = cluster.offsets_quiet {
        writeln!(out, "offsets_quiet = {:?}", humantime::format_duration(quiet).to_string())?;
    }
    for (setting, patterns) in
        [("read_committed", &cluster.read_committed), ("protected", &cluster.protected)]
    {
        let patterns: Vec<String> = patterns.iter().map(|one| format!("{:?}", one.as_str())).collect();
        if !patterns.is_empty() {
            writeln!(out, "{setting} = [{}]", patterns.join(", "))?;
        }
    }
    let pairs: Vec<String> = cluster
        .admin_topics
        .iter()
        .map(|pair| format!("{{ commands = \"{}\", telemetry = \"{}\" }}", pair.commands, pair.telemetry))
        .collect();
    if !pairs.is_empty() {
        writeln!(out, "admin_topics = [{}]", pairs.join(", "))?;
    }
    let zones: Vec<String> = cluster
        .rewind_time_zones
        .0
        .iter()
        .map(|(consumer, zone)| format!("{{ consumer = {:?}, zone = {:?} }}", consumer.as_str(), zone.name()))
        .collect();
    if !zones.is_empty() {
        writeln!(out, "rewind_time_zones = [{}]", zones.join(", "))?;
    }
    writeln!(out, "hold_by = {:?}", cluster.hold_by.word())?;
    writeln!(out, "payloads = {}", cluster.payloads)?;
    writeln!(out, "mask_secrets = {}", cluster.mask_secrets)?;
    for rule in &cluster.masks {
        writeln!(out, "# masks of topics {:?}: {}", rule.topics.as_str(), rule.mask)?;
    }
    let search = cluster.search;
    let megabytes = search.bytes_per_second / 1_000_000;
    writeln!(out, "search = {{ at_once = {}, megabytes_per_second = {megabytes} }}", search.at_once)?;
    for schema in cluster.decoders.schemas() {
        writeln!(out, "# schema {:?}: {:?}", schema.name, schema.schema)?;
    }
    if let Some(registry) = &cluster.schema_registry {
        writeln!(out, "schema_registry = {{ url = {:?}, {} }}", registry.address(), registry.credentials())?;
    }
    for topic in &cluster.topics {
        write_topic(out, topic)?;
    }
    for (property, value) in &cluster.properties {
        let shown = if SHOWN.contains(&property.as_str()) { value.expose() } else { "(hidden)" };
        writeln!(out, "properties.{property:?} = {shown:?}")?;
    }
    Ok(())
}

fn write_topic(out: &mut String, topic: &TopicSettings) -> std::fmt::Result {
    let decoder = |field: &str, given: &Option<ConfiguredDecoder>| {
        given.as_ref().map_or(String::new(), |one| format!(", {field} = {:?}", one.name))
    };
    let (key, value) = (decoder("key", &topic.key), decoder("value", &topic.value));
    writeln!(
        out,
        "# topics {{ pattern = {:?}{key}{value}, payloads = {} }}",
        topic.pattern.as_str(),
        topic.payloads
    )
}
