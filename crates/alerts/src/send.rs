//! One message to a receiver, however it is reached. Blocks.

use std::time::{Duration, Instant};

use flowdeck_model::view::GroupLabels;
use flowdeck_model::{ClusterName, Level, Timestamp, Verdict};

use crate::alert::{Alert, What};
use crate::format;
use crate::mail::Mail;
use crate::post::Poster;
use crate::receiver::{Channel, Format, Receiver};

/// Of an answer over HTTP, and of each step of SMTP.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

pub(crate) enum Sender {
    Http { poster: Poster, format: Format, receiver: String },
    Mail(Mail),
}

/// The words do not name the address beyond its host.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) words: String,
    /// When the receiver wants the next try.
    pub(crate) after: Option<Duration>,
    /// The receiver refuses what it is sent, and would again.
    pub(crate) is_final: bool,
}

impl Sender {
    /// Reads the system's certificates where there are no others.
    pub(crate) fn new(receiver: &Receiver) -> Self {
        match &receiver.channel {
            Channel::Http { target, format } => {
                Self::Http { poster: Poster::new(target), format: *format, receiver: receiver.name.clone() }
            }
            Channel::Mail(mail) => Self::Mail(mail.clone()),
        }
    }

    /// `pages`: where Flowdeck's pages lie, without a slash at the end.
    pub(crate) fn send(&self, alerts: &[Alert], pages: Option<&str>) -> Result<(), Failure> {
        match self {
            Self::Http { poster, format, receiver } => {
                poster.post(&format::body(*format, receiver, alerts, pages))
            }
            Self::Mail(mail) => mail.send(alerts, pages),
        }
    }
}

/// Sends an alert that is none, so that a person sees whether it arrives; how long that took. Blocks.
pub fn test(
    receiver: &Receiver,
    cluster: ClusterName,
    pages: Option<&str>,
    now: Timestamp,
) -> Result<Duration, String> {
    let alert = Alert {
        cluster,
        group: Some("flowdeck-test".into()),
        what: What::Verdict(Verdict::Stalled),
        level: Level::Critical,
        since: now,
        evidence: Some("a test of this receiver, and no group of yours".to_owned()),
        labels: GroupLabels::default(),
        ended: None,
    };
    let over = Alert { ended: Some(now), ..alert.clone() };
    let alerts = if receiver.resolved { vec![alert, over] } else { vec![alert] };
    let (sender, begun) = (Sender::new(receiver), Instant::now());
    for alert in alerts {
        sender.send(&[alert], pages).map_err(|failure| failure.words)?;
    }
    Ok(begun.elapsed())
}
