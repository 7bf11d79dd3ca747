//! What the process around the service has and lacks: memory, handles, tasks, connections, lines of log. For
//! `/metrics` and `/health`. A host program that mounts the service has a listener and a log of its own.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::handles;
use crate::lines::LostLines;
use crate::serve::Connections;

#[derive(Clone, Default)]
pub struct Process {
    pub connections: Option<Arc<Connections>>,
    pub log: Option<Arc<LostLines>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Process")
    }
}

/// Read at each scrape. The files are the kernel's memory, no disk: reading them waits for nothing.
impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, value: Option<u64>| {
            let Some(value) = value else { return Ok(()) };
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        gauge("process_resident_memory_bytes", "Memory in use", field("VmRSS:").map(|kb| kb * 1024))?;
        gauge("process_threads", "Threads", field("Threads:"))?;
        let open = std::fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as u64);
        gauge("process_open_fds", "File handles in use", open)?;
        gauge("process_max_fds", "File handles at most", handles::most().map(|most| most as u64))?;
        let tasks = tokio::runtime::Handle::try_current().ok();
        let tasks = tasks.map(|runtime| runtime.metrics().num_alive_tasks() as u64);
        gauge("flowdeck_tasks", "Tasks that have not ended", tasks)?;
        let connections = self.connections.as_ref();
        let open = connections.map(|all| all.open() as u64);
        gauge("flowdeck_connections_open", "Connections of clients", open)?;
        let most = connections.map(|all| all.max() as u64);
        gauge("flowdeck_connections_max", "Connections of clients at most", most)?;
        let mut counter = |name: &str, help: &str, value: Option<u64>| {
            let Some(value) = value else { return Ok(()) };
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
        };
        let failed = connections.map(|all| all.failed());
        counter("flowdeck_accepts_failed", "Tries to accept a connection that failed", failed)?;
        let lost = self.log.as_ref().map(|log| log.count());
        counter("flowdeck_log_lines_lost", "Lines of the log that could not be written", lost)
    }
}
