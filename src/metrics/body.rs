//! A text of tens of megabytes in parts. In one piece, which grows by doubling, it would leave the process that much larger:
//! once such a piece was given back, the allocator keeps twice its size for the next one.

use std::convert::Infallible;
use std::fmt;

use axum::body::{Body, Bytes};
use futures::stream;

/// Small enough to be taken from the memory that other requests use, too.
const PART_BYTES: usize = 64 * 1024;

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
        for number in 0..40_000 {
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
