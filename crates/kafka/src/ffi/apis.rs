//! Which requests the brokers offer (ApiVersions). librdkafka asks at each connection, keeps the answer
//! to itself and writes it to its log: a client of a moment is made, and its log read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::handle::Native;
use super::queue::Queue;
use crate::config::ConfigError;

/// Request keys, with the lowest and the highest version that a broker offers of each.
pub(crate) type ApiVersions = BTreeMap<i16, (i16, i16)>;

/// Lines taken at most, so that a talkative client cannot keep the caller.
const LINES: usize = 20_000;

/// Connects and reads one broker's answer; `None` where none came within `span`. Blocks.
pub(crate) fn ask(
    properties: &BTreeMap<String, String>,
    span: Duration,
) -> Result<Option<ApiVersions>, ConfigError> {
    let mut properties = properties.clone();
    properties.insert("debug".to_owned(), "feature".to_owned());
    properties.insert("log.queue".to_owned(), "true".to_owned());
    let native = Arc::new(Native::new(&properties, false)?);
    let queue = Queue::main(native.clone());
    queue.take_log();
    // A full metadata request needs a connection, before which the versions were exchanged.
    let connected = native.metadata(span).is_ok();
    let mut versions = ApiVersions::new();
    for _ in 0..LINES {
        let Some(event) = queue.poll(Duration::ZERO) else { break };
        if let Some((key, range)) = event.log_line().as_deref().and_then(parse) {
            versions.insert(key, range);
        }
    }
    Ok((connected && !versions.is_empty()).then_some(versions))
}

/// `…  ApiKey ListGroups (16) Versions 0..5`
fn parse(line: &str) -> Option<(i16, (i16, i16))> {
    let (_, rest) = line.split_once("ApiKey ")?;
    // The name of a key that librdkafka does not know has brackets too.
    let (name, versions) = rest.rsplit_once(" Versions ")?;
    let key = name.strip_suffix(')')?.rsplit('(').next()?;
    let (low, high) = versions.trim().split_once("..")?;
    Some((key.parse().ok()?, (low.parse().ok()?, high.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_log() {
        let line = "[thrd:127.0.0.1:9092/bootstrap]: 127.0.0.1:9092/bootstrap:   ApiKey ListGroups (16) Versions 0..5";
        assert_eq!(parse(line), Some((16, (0, 5))));
        assert_eq!(parse("x: ApiKey Unknown-81? (81) Versions 0..0"), Some((81, (0, 0))));
        for other in
            ["", "ApiKey", "ApiKey A (x) Versions 1..2", "ApiKey A (1) Versions 1", "Feature ScramSha"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
