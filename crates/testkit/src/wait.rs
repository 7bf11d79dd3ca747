//! Waiting for what must become true.

use std::time::{Duration, Instant};

/// Long enough for a busy machine; a condition that holds ends the wait at once.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Asks `probe` again and again until it gives a value, at most `limit`; then panics with `what` was awaited.
pub async fn wait_for<T, F>(what: &str, limit: Duration, mut probe: F) -> T
where
    F: AsyncFnMut() -> Option<T>,
{
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_value_ends_the_wait() {
        let mut asked = 0;
        let value = wait_for("the third answer", DEADLINE, async || {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(value.await, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "the impossible")]
    async fn the_deadline_says_what_was_awaited() {
        wait_for::<(), _>("the impossible", Duration::from_millis(50), async || None).await;
    }
}
