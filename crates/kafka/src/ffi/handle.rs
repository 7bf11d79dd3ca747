//! One librdkafka client: made from properties, destroyed on a thread of its own, since ending its
//! connections can take seconds.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka_sys as sys;

use super::heartbeats::{self, Heartbeats};
use crate::config::ConfigError;

/// A consumer-type client. Without a group it can ask, read and follow, but neither produce nor join.
pub(crate) struct Native {
    ptr: NonNull<sys::rd_kafka_t>,
    /// What the client's threads write to: destroyed after it.
    heartbeats: Option<Arc<Heartbeats>>,
}

// SAFETY: librdkafka documents its clients as thread-safe.
unsafe impl Send for Native {}
// SAFETY: as above.
unsafe impl Sync for Native {}

/// Frees a configuration that no client took over.
struct Conf(*mut sys::rd_kafka_conf_t);

impl Drop for Conf {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: made by `rd_kafka_conf_new` and still ours: `Native::new` nulls it once it is not.
            unsafe { sys::rd_kafka_conf_destroy(self.0) };
        }
    }
}

impl Conf {
    fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let invalid = |_| ConfigError::InvalidValue { name: name.to_owned() };
        let c_name =
            CString::new(name).map_err(|_| ConfigError::UnknownProperty { name: name.to_owned() })?;
        let c_value = CString::new(value).map_err(invalid)?;
        // librdkafka's message would repeat the value, which may be a secret: the name is enough.
        // SAFETY: the configuration is ours, the strings live through the call, no buffer is given.
        let set = unsafe {
            sys::rd_kafka_conf_set(self.0, c_name.as_ptr(), c_value.as_ptr(), std::ptr::null_mut(), 0)
        };
        match set {
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => {
                Err(ConfigError::UnknownProperty { name: name.to_owned() })
            }
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => {
                Err(ConfigError::InvalidValue { name: name.to_owned() })
            }
        }
    }
}

impl Native {
    /// Connects in the background; does not block. With `errors`, somebody must poll the main queue,
    /// where the client then reports its own errors; without, it only logs them.
    pub(crate) fn new(properties: &BTreeMap<String, String>, errors: bool) -> Result<Self, ConfigError> {
        Self::make(properties, if errors { sys::RD_KAFKA_EVENT_ERROR } else { 0 }, None)
    }

    /// A client that is to be a member of its group: somebody must poll the consumer queue and answer each
    /// rebalance, and close the membership before the client is dropped.
    pub(super) fn member(
        properties: &BTreeMap<String, String>,
        heartbeats: Arc<Heartbeats>,
    ) -> Result<Self, ConfigError> {
        let events = sys::RD_KAFKA_EVENT_ERROR | sys::RD_KAFKA_EVENT_REBALANCE;
        Self::make(properties, events, Some(heartbeats))
    }

    fn make(
        properties: &BTreeMap<String, String>,
        events: i32,
        heartbeats: Option<Arc<Heartbeats>>,
    ) -> Result<Self, ConfigError> {
        // SAFETY: no preconditions.
        let mut conf = Conf(unsafe { sys::rd_kafka_conf_new() });
        for (name, value) in properties {
            conf.set(name, value)?;
        }
        // SAFETY: the configuration is ours, and the callback is a static function.
        unsafe {
            sys::rd_kafka_conf_set_log_cb(conf.0, Some(super::logs::log));
            sys::rd_kafka_conf_set_events(conf.0, events);
        }
        if let Some(heartbeats) = &heartbeats {
            // SAFETY: the configuration is ours, and the client keeps what is heard until it is destroyed.
            unsafe { heartbeats::hear(conf.0, heartbeats) };
        }
        let mut words = [0 as c_char; 512];
        // SAFETY: the buffer is as long as said; on success the client takes the configuration over.
        let ptr = unsafe {
            sys::rd_kafka_new(
                sys::rd_kafka_type_t::RD_KAFKA_CONSUMER,
                conf.0,
                words.as_mut_ptr(),
                words.len(),
            )
        };
        let Some(ptr) = NonNull::new(ptr) else {
            // SAFETY: librdkafka writes a NUL-terminated message, and the buffer began as zeros.
            let words = unsafe { super::text(words.as_ptr()) };
            return Err(ConfigError::Client { words: without_values(words, properties) });
        };
        conf.0 = std::ptr::null_mut();
        Ok(Self { ptr, heartbeats })
    }

    /// For a client with a group's name: what it reports of the group comes to the main queue, too.
    pub(crate) fn merge_queues(&self) {
        // SAFETY: the client is alive. The code tells only that it has no group.
        unsafe { sys::rd_kafka_poll_set_consumer(self.ptr()) };
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.ptr.as_ptr()
    }
}

/// librdkafka's message with every long enough value of the configuration taken out.
fn without_values(mut words: String, properties: &BTreeMap<String, String>) -> String {
    const OPEN: [&str; 2] = ["bootstrap.servers", "client.id"];
    for (name, value) in properties {
        if value.len() >= 4 && !OPEN.contains(&name.as_str()) && words.contains(value.as_str()) {
            words = words.replace(value.as_str(), &format!("({name})"));
        }
    }
    words
}

impl Drop for Native {
    fn drop(&mut self) {
        struct Last(NonNull<sys::rd_kafka_t>, Option<Arc<Heartbeats>>);
        // SAFETY: the client is thread-safe, and this is its last owner.
        unsafe impl Send for Last {}
        impl Last {
            fn destroy(self) {
                // SAFETY: made by `rd_kafka_new`; queues, topics and events hold an `Arc` of the
                // client, so that all of them are gone.
                // A member of a group has left it before (see `member`).
                unsafe {
                    let flags = sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE;
                    sys::rd_kafka_destroy_flags(self.0.as_ptr(), flags);
                }
                drop(self.1);
            }
        }
        let last = Last(self.ptr, self.heartbeats.take());
        let spawned =
            std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || last.destroy());
        if spawned.is_err() {
            // No thread to be had: a client that is left behind is better than blocking the caller.
            tracing::warn!("could not start a thread to close a Kafka client");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(name: &str, value: &str) -> Result<Native, ConfigError> {
        Native::new(&BTreeMap::from([(name.to_owned(), value.to_owned())]), false)
    }

    #[test]
    fn a_wrong_property_is_named_without_its_value() {
        let unknown = make("no.such.property", "x").err();
        assert_eq!(unknown, Some(ConfigError::UnknownProperty { name: "no.such.property".to_owned() }));
        let invalid = make("security.protocol", "hunter2").err();
        assert_eq!(invalid, Some(ConfigError::InvalidValue { name: "security.protocol".to_owned() }));
        let nul = make("sasl.password", "hun\0ter2").err();
        assert_eq!(nul, Some(ConfigError::InvalidValue { name: "sasl.password".to_owned() }));
    }

    #[test]
    fn a_client_that_cannot_be_made_says_why() {
        let mut properties = BTreeMap::from([("security.protocol".to_owned(), "ssl".to_owned())]);
        properties.insert("ssl.ca.location".to_owned(), "/nowhere/ca.pem".to_owned());
        let Err(ConfigError::Client { words }) = Native::new(&properties, false) else { panic!("made") };
        assert!(words.contains("ssl.ca.location"), "{words}");
    }
}
