//! A text of tens of megabytes in parts: in one piece it would grow by doubling, and be there as a whole until the last byte
//! is sent.

use std::convert::Infallible;
use std::fmt;

use axum::body::{Body, Bytes};
use futures::stream;

/// So large that the allocator maps it by itself (`flowdeck_kafka::share_one_heap`), and the system has it back once it is
/// sent: smaller ones would leave gaps between what stays.
const PART_BYTES: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Parts {
    full: Vec<Bytes>,
    last: String,
}

impl Parts {
    fn end_part(&mut self) {
        self.full.push(Bytes::from(std::mem::take(&mut self.last)));
    }

    /// Each part is given back once it is sent.
    pub(super) fn into_body(mut self) -> Body {
        self.end_part();
        Body::from_stream(stream::iter(self.full.into_iter().map(Ok::<_, Infallible>)))
    }
}

impl fmt::Write for Parts {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.last.len() + text.len() > PART_BYTES {
            self.end_part();
        }
        if self.last.capacity() == 0 {
            self.last.reserve_exact(PART_BYTES);
        }
        self.last.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[tokio::test]
    async fn the_parts_are_the_text() {
        let (mut parts, mut whole) = (Parts::default(), String::new());
        for number in 0..600_000 {
            writeln!(parts, "line {number}").unwrap();
            writeln!(whole, "line {number}").unwrap();
        }
        let long = "x".repeat(3 * PART_BYTES);
        parts.write_str(&long).unwrap();
        assert!(parts.full.len() > 5 && parts.full.iter().all(|part| part.len() <= PART_BYTES));
        let body = axum::body::to_bytes(parts.into_body(), usize::MAX).await.unwrap();
        assert!(body == whole + &long);
    }
}
