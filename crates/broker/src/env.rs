//! The environment variables that the broker code understands, in one place.

/// Where the cache lives, instead of `$XDG_CACHE_HOME/flowdeck` or `~/.cache/flowdeck`.
pub const CACHE: &str = "FLOWDECK_CACHE";
/// A directory with Kafka's jars: nothing is resolved then.
pub const KAFKA_LIBS: &str = "FLOWDECK_KAFKA_LIBS";
/// The tests' shared broker: `HOST:PORT`, or `ask:HOST:PORT`, where a line with the address is to be had.
pub const TEST_KAFKA: &str = "FLOWDECK_TEST_KAFKA";
