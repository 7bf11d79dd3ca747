//! What an HTTP/2 client does with its time. Under HTTP/1 hyper closes an idle connection and the
//! socket tells who reads nothing; under HTTP/2 a client that opens no window leaves the socket
//! free, and one that asks for nothing has no head that could be late.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, sleep};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slow {
    /// Nothing was asked for so long.
    Idle,
    /// It takes nothing of what it asked for.
    Stalled,
}

/// Of one connection.
#[derive(Clone, Default)]
pub(super) struct Pace(Arc<Mutex<Table>>);

struct Table {
    last: u64,
    /// Answers under way; since when the client could have taken the next part, and has not.
    open: HashMap<u64, Option<Instant>>,
    idle_since: Instant,
}

impl Default for Table {
    fn default() -> Self {
        Self { last: 0, open: HashMap::new(), idle_since: Instant::now() }
    }
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has come.
    pub(super) fn begin(&self) -> Answer {
        let mut table = self.lock();
        table.last += 1;
        let id = table.last;
        table.open.insert(id, None);
        Answer { pace: self.clone(), id }
    }

    /// Returns once the client is too slow.
    pub(super) async fn watch(&self, idle: Duration, stall: Duration) -> Slow {
        loop {
            sleep(LOOK).await;
            let table = self.lock();
            if table.open.is_empty() && table.idle_since.elapsed() >= idle {
                return Slow::Idle;
            }
            if table.open.values().flatten().any(|since| since.elapsed() >= stall) {
                return Slow::Stalled;
            }
        }
    }
}

/// One answer; under way until it is dropped.
pub(super) struct Answer {
    pace: Pace,
    id: u64,
}

impl Answer {
    pub(super) fn paced(self, body: Body) -> Paced {
        Paced { body, answer: self }
    }

    fn waits_since(&self, since: Option<Instant>) {
        self.pace.lock().open.insert(self.id, since);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut table = self.pace.lock();
        table.open.remove(&self.id);
        table.idle_since = Instant::now();
    }
}

/// hyper asks for the next part only when the client has taken of the last one.
pub(super) struct Paced {
    body: Body,
    answer: Answer,
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.answer.waits_since(polled.is_ready().then(Instant::now));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
