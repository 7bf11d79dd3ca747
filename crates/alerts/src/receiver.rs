//! Who is told what, and how it is reached.

use std::fmt;
use std::time::Duration;

use flowdeck_http::Trust;
use flowdeck_model::{ClusterName, GroupId, Level, Pattern, Verdict};
use url::Url;

use crate::alert::What;
use crate::mail::Mail;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ReceiverError(String);

#[derive(Clone, Debug)]
pub struct Receiver {
    /// For the log, metrics and `/health`.
    pub name: String,
    pub channel: Channel,
    pub selection: Selection,
    /// For how long a finding applies before it is told.
    pub after: Duration,
    /// How long after it was told it is told again while it applies.
    pub repeat: Duration,
    /// Whether its end is told.
    pub resolved: bool,
}

/// How it is reached, and in which form.
#[derive(Clone, Debug)]
pub enum Channel {
    Http { target: Target, format: Format },
    Mail(Mail),
}

impl Channel {
    /// For messages: of an address of HTTP neither path nor query.
    pub fn origin(&self) -> String {
        match self {
            Self::Http { target, .. } => target.origin(),
            Self::Mail(mail) => mail.origin(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// What Alertmanager posts to a webhook, version 4.
    Alertmanager,
    /// `{"text": …}` in Slack's marks, which others take too.
    Slack,
}

/// Which findings.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Of this level and above.
    pub level: Level,
    /// Only these; all where it is empty. Those of a whole cluster are always told.
    pub verdicts: Vec<Verdict>,
    /// Patterns of groups' names; all where it is empty.
    pub groups: Vec<Pattern>,
    /// All where it is empty.
    pub clusters: Vec<ClusterName>,
}

impl Selection {
    pub(crate) fn has_cluster(&self, cluster: &ClusterName) -> bool {
        self.clusters.is_empty() || self.clusters.contains(cluster)
    }

    pub(crate) fn has(&self, group: &GroupId, what: What, level: Level) -> bool {
        let by_verdict = match what {
            What::Verdict(verdict) => self.verdicts.is_empty() || self.verdicts.contains(&verdict),
            What::NotRead => true,
        };
        let by_name = || self.groups.is_empty() || self.groups.iter().any(|one| one.matches(group.as_str()));
        level >= self.level && by_verdict && by_name()
    }
}

/// Where it is posted. The address may be a secret: whoever knows that of a Slack channel may write to it.
#[derive(Clone)]
pub struct Target {
    pub(crate) url: Url,
    pub(crate) bearer: Option<String>,
    pub(crate) trust: Trust,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

impl Target {
    pub fn new(url: &str) -> Result<Self, ReceiverError> {
        let refused = |why: &str| {
            ReceiverError(format!("{why}; write an address such as https://alerts.example.org/hook"))
        };
        // What was written is not repeated: it may be a secret.
        let url = Url::parse(url).map_err(|error| refused(&format!("it is no URL ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(refused("it is no address of HTTP"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("credentials are not part of it: there is bearer"));
        }
        Ok(Self { url, bearer: None, trust: Trust::System })
    }

    /// For messages: without path and query.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    pub fn with_bearer(self, token: String) -> Result<Self, ReceiverError> {
        if token.is_empty() || !token.bytes().all(|byte| (b'!'..0x7f).contains(&byte)) {
            let why = "the bearer token is empty or has characters that a header cannot";
            return Err(ReceiverError(why.to_owned()));
        }
        Ok(Self { bearer: Some(token), ..self })
    }

    pub fn with_trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_printed_with_its_path() {
        let target = Target::new("https://hooks.example/services/T0/hunter2?token=hunter2").unwrap();
        let target = target.with_bearer("hunter2".to_owned()).unwrap();
        assert_eq!(format!("{target:?}"), "https://hooks.example");
        for url in ["hunter2", "ftp://hunter2", "https://ana:hunter2@hooks.example", "https://hunter2:x/"] {
            let error = Target::new(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_selection_is_by_level_verdict_group_and_cluster() {
        let selection = Selection {
            level: Level::Warning,
            verdicts: vec![Verdict::Stalled],
            groups: vec![Pattern::new("payments*")],
            clusters: vec!["eu".parse().unwrap()],
        };
        let has =
            |group: &str, verdict, level| selection.has(&GroupId::new(group), What::Verdict(verdict), level);
        assert!(has("payments-2", Verdict::Stalled, Level::Critical));
        assert!(!has("payments-2", Verdict::Stalled, Level::Info));
        assert!(!has("payments-2", Verdict::Behind, Level::Critical));
        assert!(!has("orders", Verdict::Stalled, Level::Critical));
        assert!(selection.has_cluster(&"eu".parse().unwrap()));
        assert!(!selection.has_cluster(&"us".parse().unwrap()));
    }
}
