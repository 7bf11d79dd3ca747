//! The audit in the log: one line an entry, under the target `audit`, at every level of the log. Never a password, a
//! token or a session's id; what somebody unknown wrote is cut and escaped, so that no line can be forged.

use flowdeck_model::actor::ActorView;
use flowdeck_model::{ActorKind, ClusterName};
use flowdeck_protocol::wire::{
    BulkEvent, BulkRecord, LogIn, LogInOutcome, Operation, ProduceEvent, ProduceRecord, RedriveEvent,
    RedriveRecord, RetentionEvent, RetentionRecord,
};

use super::Entry;

/// In characters: names of the configuration are shorter.
const LONGEST: usize = 64;

/// `cluster`: of operations.
pub(crate) struct LogSink {
    pub(crate) cluster: Option<ClusterName>,
}

/// One line of what goes on in the audit by itself. `$kind`: its word, which is before its fields too.
macro_rules! line {
    ($sink:expr, $kind:ident, $event:expr, $reason:expr) => {
        tracing::info!(
            target: "audit",
            cluster = $sink.cluster.as_ref().map(ClusterName::as_str).unwrap_or_default(),
            $kind.id = %$kind.id,
            $kind.event = $event,
            $kind.reason = $reason,
            actor.name = $kind.actor.name,
            actor.kind = ?$kind.actor.kind,
            actor.via = ?$kind.actor.via,
            actor.address = address(&$kind.actor),
            stringify!($kind)
        )
    };
}

impl LogSink {
    pub(crate) fn write(&self, entry: Entry<'_>) {
        match entry {
            Entry::Operation(operation) => self.operation(operation),
            Entry::LogIn(log_in) => log_in_line(log_in),
            Entry::Redrive(redrive) => self.redrive(redrive),
            Entry::Bulk(bulk) => self.bulk(bulk),
            Entry::Produce(produce) => self.produce(produce),
            // Whoever looks writes the line, when the look begins.
            Entry::Look(_) => {}
            Entry::Retention(retention) => self.retention(retention),
        }
    }

    fn produce(&self, produce: &ProduceRecord) {
        let (event, reason) = match &produce.event {
            ProduceEvent::Requested(request) => {
                (format!("requested: {}", request.topic), request.reason.as_str())
            }
            ProduceEvent::Written(place) => (format!("written: {place}"), ""),
            ProduceEvent::Failed { in_doubt: false, .. } => ("failed".to_owned(), ""),
            ProduceEvent::Failed { in_doubt: true, .. } => ("in doubt".to_owned(), ""),
        };
        line!(self, produce, event, reason);
    }

    fn retention(&self, retention: &RetentionRecord) {
        let (event, reason) = match &retention.event {
            RetentionEvent::State(status) => {
                let event = format!("{}: {}", status.state.label(), status.request.topic);
                (event, status.request.reason.as_str())
            }
            RetentionEvent::End => ("end".to_owned(), ""),
        };
        line!(self, retention, event, reason);
    }

    fn redrive(&self, redrive: &RedriveRecord) {
        let reason = match &redrive.event {
            RedriveEvent::Requested { request, .. } => request.reason.as_str(),
            _ => "",
        };
        line!(self, redrive, event(&redrive.event), reason);
    }

    fn bulk(&self, bulk: &BulkRecord) {
        let (event, reason) = match &bulk.event {
            BulkEvent::Requested { request, .. } => {
                (format!("requested: {}", request.title()), request.reason.as_str())
            }
            BulkEvent::Stop => ("stop".to_owned(), ""),
            BulkEvent::Progress { state, .. } => (state.label().to_owned(), ""),
        };
        line!(self, bulk, event, reason);
    }

    fn operation(&self, operation: &Operation) {
        let submit = operation.request.submit(operation.id);
        let target = submit.as_ref().map(|submit| submit.target.to_string());
        tracing::info!(
            target: "audit",
            cluster = self.cluster.as_ref().map(ClusterName::as_str).unwrap_or_default(),
            command.id = %operation.id,
            command.action = operation.request.action(),
            command.state = operation.state.label(),
            command.target = target.unwrap_or_default(),
            command.reason = submit.map(|submit| submit.reason).unwrap_or_default(),
            actor.name = operation.actor.name,
            actor.kind = ?operation.actor.kind,
            actor.via = ?operation.actor.via,
            actor.address = address(&operation.actor),
            "command"
        );
    }
}

fn event(event: &RedriveEvent) -> String {
    match event {
        RedriveEvent::Requested { request, .. } => format!("requested: {} to {}", request.topic, request.to),
        RedriveEvent::Ordered(order) => format!("ordered: {}", order.word()),
        RedriveEvent::Progress { state, progress, .. } => {
            format!("{}: {} copied, {} not copied", state.label(), progress.copied, progress.left_out())
        }
    }
}

fn log_in_line(log_in: &LogIn) {
    let (actor, detail) = (&log_in.actor, log_in.detail.as_deref().unwrap_or_default());
    let (event, outcome, what) = match log_in.outcome {
        LogInOutcome::Refused if actor.kind == ActorKind::Token => {
            ("token", "refused", "bearer token refused")
        }
        LogInOutcome::Refused => ("logIn", "refused", "log-in refused"),
        LogInOutcome::Accepted => ("logIn", "ok", "logged in"),
        LogInOutcome::SignedOut => ("logOut", "ok", "logged out"),
        LogInOutcome::SignedOutEverywhere => ("logOutEverywhere", "ok", "logged out everywhere"),
    };
    if log_in.outcome == LogInOutcome::Refused {
        tracing::warn!(
            target: "audit", event, outcome, reason = detail,
            actor.claimed = %plain(&actor.name), actor.kind = ?actor.kind, actor.address = address(actor), "{what}"
        );
        return;
    }
    tracing::info!(
        target: "audit", event, outcome,
        actor.name = %plain(&actor.name), actor.kind = ?actor.kind, actor.address = address(actor), "{what}"
    );
}

fn address(actor: &ActorView) -> &str {
    actor.address.as_deref().unwrap_or("unknown")
}

/// What is not letter, digit, sign or space of ASCII is escaped; what is too long ends in `…`.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_escaped() {
        for (text, want) in [
            ("ana", "ana".to_owned()),
            ("a b", "a b".to_owned()),
            ("a\nactor.name=root", "a\\u{a}actor.name=root".to_owned()),
            ("\u{1b}[2J", "\\u{1b}[2J".to_owned()),
            ("\u{202e}x", "\\u{202e}x".to_owned()),
            ("\"\\", "\\\"\\\\".to_owned()),
            (&"x".repeat(65), format!("{}…", "x".repeat(64))),
        ] {
            assert_eq!(plain(text), want);
        }
        assert!(plain(&"\u{10ffff}".repeat(1_000_000)).len() < 1_000);
    }
}
