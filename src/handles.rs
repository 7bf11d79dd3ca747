//! File handles: as many as the process may have, and how many of them clients may take, so that connections to
//! Kafka always find some.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::config::Limits;

/// More are of no use here, and a limit of a milliard costs some libraries a table.
const ENOUGH: u64 = 65_536;
/// Standard streams, the runtime, the listener, files of the site, Redis.
const OWN: usize = 32;
/// Clients of one cluster, each with a connection to each of its brokers, and the pipes that wake their threads.
const CLUSTER: usize = 96;
/// Fewer connections than these serve nobody.
const FEWEST: usize = 16;

#[derive(Debug, thiserror::Error)]
#[error(
    "the process may open {most} files at once, and needs {needed} for {clusters} cluster(s) and some clients: \
     raise the limit, for instance with `ulimit -n {needed}` or LimitNOFILE="
)]
pub struct TooFewHandles {
    most: usize,
    needed: usize,
    clusters: usize,
}

/// Raises the soft limit to the hard one; what the process may have then. `None`: no limit is known.
pub fn raise() -> Option<usize> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // Where it may not be raised, the old one counts.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    most()
}

/// As many as the process may have open at once.
pub(crate) fn most() -> Option<usize> {
    getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok())
}

/// The bounds with as many connections as there are handles for. Changed bounds come with a sentence.
pub fn fit(
    limits: Limits,
    clusters: usize,
    most: Option<usize>,
) -> Result<(Limits, Option<String>), TooFewHandles> {
    let Some(most) = most else { return Ok((limits, None)) };
    let reserved = OWN + CLUSTER * clusters;
    let left = most.saturating_sub(reserved);
    if left >= limits.connections {
        return Ok((limits, None));
    }
    if left < FEWEST {
        return Err(TooFewHandles { most, needed: reserved + FEWEST, clusters });
    }
    let note = format!(
        "the process may open {most} files at once, so it serves {left} connections at once and not {}: \
         raise the limit, for instance with `ulimit -n {}` or LimitNOFILE=",
        limits.connections,
        reserved + limits.connections
    );
    Ok((Limits { connections: left, ..limits }, Some(note)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_file_handles_for_kafka() {
        let limits = Limits { connections: 2_048, ..Limits::default() };
        assert_eq!(fit(limits, 1, None).unwrap(), (limits, None));
        assert_eq!(fit(limits, 1, Some(65_536)).unwrap(), (limits, None));
        let (fitted, note) = fit(limits, 2, Some(1_024)).unwrap();
        assert_eq!(fitted.connections, 1_024 - 32 - 2 * 96);
        let note = note.unwrap();
        assert!(note.contains("1024 files") && note.contains("ulimit -n 2272"), "{note}");
    }

    #[test]
    fn too_few_file_handles_is_an_error() {
        let error = fit(Limits::default(), 1, Some(64)).unwrap_err().to_string();
        assert!(error.contains("64 files") && error.contains("`ulimit -n 144`"), "{error}");
    }

    #[test]
    fn file_handle_limit_is_known() {
        assert!(raise().is_some_and(|most| most > 0));
    }
}
