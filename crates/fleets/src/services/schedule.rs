//! One trouble after the other, with calm between them.

use std::time::Duration;

use tracing::warn;

use super::{Runtime, Trouble};

/// Before each trouble.
const CALM: Duration = Duration::from_secs(30);
/// How long each lasts: long enough for the dashboard to judge by a trend.
const LASTS: Duration = Duration::from_secs(45);

/// Until the service ends. A crash is last, since all begins again with it.
pub fn start(runtime: &Runtime) {
    let runtime = runtime.clone();
    runtime.tasks.clone().spawn(async move {
        let pause = |time| runtime.stop.run_until_cancelled(tokio::time::sleep(time));
        for trouble in Trouble::ALL.into_iter().cycle() {
            if pause(CALM).await.is_none() {
                return;
            }
            warn!(trouble = trouble.name(), "begins");
            runtime.troubles.begin(trouble);
            if pause(LASTS).await.is_none() {
                return;
            }
            runtime.troubles.end(trouble);
            warn!(trouble = trouble.name(), "is over");
        }
    });
}
