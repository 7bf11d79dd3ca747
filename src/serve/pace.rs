//! Limits the time of an HTTP/2 client. Under HTTP/1 hyper closes an idle connection, and a write to the
//! socket of a client that reads nothing times out; under HTTP/2 a client that opens no window leaves the socket
//! free, and one that asks for nothing has no head that could be late. No crate was found for either: hyper leaves
//! them to its caller, and tokio-io-timeout sees the socket alone.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, sleep};

use crate::lock::lock;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A part of an answer. One that is handed over whole would count as over, while a slow client still takes it.
const PART: usize = 16 * 1024;

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
        lock(&self.0)
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
        Paced { body, rest: Bytes::new(), answer: self }
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
    /// Of what the body gave last.
    rest: Bytes,
    answer: Answer,
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let polled = Pin::new(&mut self.body).poll_frame(cx);
            self.answer.waits_since(polled.is_ready().then(Instant::now));
            let Poll::Ready(Some(Ok(frame))) = polled else { return polled };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        self.answer.waits_since(Some(Instant::now()));
        let part = self.rest.len().min(PART);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn response_is_open_until_its_last_part_is_taken() {
        let (pace, text) = (Pace::default(), "0123456789".repeat(5_000));
        let mut body = pace.begin().paced(Body::from(text.clone()));
        let (mut taken, mut parts) = (Vec::new(), 0);
        while taken.len() < text.len() {
            assert!(!body.is_end_stream());
            assert_eq!(body.size_hint().exact(), Some((text.len() - taken.len()) as u64));
            let part = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(part.len() <= PART);
            taken.extend_from_slice(&part);
            parts += 1;
            assert_eq!(pace.lock().open.len(), 1);
        }
        assert_eq!((taken == text.as_bytes(), parts), (true, 4));
        assert!(body.is_end_stream());
        drop(body);
        assert!(pace.lock().open.is_empty());
    }
}
