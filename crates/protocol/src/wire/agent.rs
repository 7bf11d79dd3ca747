//! `Flowdeck.AgentTelemetry`: what an agent reports of itself, on the admin topic beside KafkaFlow's telemetry, which
//! skips the type.

use flowdeck_model::view::AgentReport;
use flowdeck_model::{ConsumerName, GroupId, Incarnation, InstanceName};
use serde::{Deserialize, Serialize};

use super::{AGENT, agent_header, is_version_1, own_headers};
use crate::kafkaflow::MESSAGE_TYPE;
use crate::{Headers, Malformed, NAME_MAX, Record};

pub const AGENT_TELEMETRY: &str = "Flowdeck.AgentTelemetry";

/// The longest value, in bytes.
pub const REPORT_MAX: usize = 16 * 1024;
/// Running handlers that a report lists.
const RUNNING_MAX: usize = 8;
/// Of an error, in characters.
const REPORT_ERROR_MAX: usize = 400;
/// Labels, and the characters of their names and values.
const LABELS_MAX: usize = 16;
const LABEL_MAX: usize = 100;

/// A report, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentTelemetry {
    pub group: GroupId,
    pub consumer: ConsumerName,
    pub instance: InstanceName,
    pub incarnation: Incarnation,
    pub report: AgentReport,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentTelemetryRecord {
    Telemetry(Box<AgentTelemetry>),
    /// Of another type: not ours to read.
    Other,
    /// Without our version header or with another version: skipped and counted.
    NewerVersion,
    Malformed(Malformed),
}

#[derive(Serialize)]
struct Written<'a> {
    group: &'a str,
    consumer: &'a str,
    instance: &'a str,
    incarnation: Incarnation,
    #[serde(flatten)]
    report: &'a AgentReport,
}

#[derive(Deserialize)]
struct Read {
    group: String,
    consumer: String,
    instance: String,
    incarnation: Incarnation,
    #[serde(flatten)]
    report: AgentReport,
}

/// Cut to what a record takes: of the errors the oldest go first. `None`: its names alone are longer.
pub fn agent_telemetry_record(mut telemetry: AgentTelemetry) -> Option<Record> {
    cut(&mut telemetry.report);
    let mut value = written(&telemetry);
    while value.len() > REPORT_MAX {
        let report = &mut telemetry.report;
        // A half at a time: twenty rounds at most.
        if !report.errors.is_empty() {
            report.errors.truncate(report.errors.len() / 2);
        } else if !report.running.is_empty() {
            report.running.truncate(report.running.len() / 2);
        } else if !report.labels.is_empty() {
            report.labels.clear();
        } else {
            return None;
        }
        value = written(&telemetry);
    }
    let mut headers = own_headers();
    headers.push((MESSAGE_TYPE.to_owned(), AGENT_TELEMETRY.as_bytes().to_vec()));
    headers.push((AGENT.to_owned(), agent_header(telemetry.incarnation)));
    Some(Record { key: telemetry.incarnation.to_string().into_bytes(), value: Some(value), headers })
}

fn written(telemetry: &AgentTelemetry) -> Vec<u8> {
    super::json(&Written {
        group: telemetry.group.as_str(),
        consumer: telemetry.consumer.as_str(),
        instance: telemetry.instance.as_str(),
        incarnation: telemetry.incarnation,
        report: &telemetry.report,
    })
}

fn cut(report: &mut AgentReport) {
    let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let labels = std::mem::take(&mut report.labels).into_iter().take(LABELS_MAX);
    report.labels = labels.map(|(name, value)| (short(&name, LABEL_MAX), short(&value, LABEL_MAX))).collect();
    report.running.truncate(RUNNING_MAX);
    for failure in &mut report.errors {
        failure.error = short(&failure.error, REPORT_ERROR_MAX);
    }
    if let Some(breaker) = &mut report.circuit_breaker {
        breaker.error = breaker.error.as_deref().map(|error| short(error, REPORT_ERROR_MAX));
    }
    report.host = short(&report.host, LABEL_MAX);
    report.version = short(&report.version, LABEL_MAX);
}

pub fn read_agent_telemetry(headers: &Headers<'_>, value: Option<&[u8]>) -> AgentTelemetryRecord {
    if headers.last_text(MESSAGE_TYPE) != Some(AGENT_TELEMETRY) {
        return AgentTelemetryRecord::Other;
    }
    if !is_version_1(headers) {
        return AgentTelemetryRecord::NewerVersion;
    }
    match read(value) {
        Ok(telemetry) => AgentTelemetryRecord::Telemetry(Box::new(telemetry)),
        Err(reason) => AgentTelemetryRecord::Malformed(reason),
    }
}

fn read(value: Option<&[u8]>) -> Result<AgentTelemetry, Malformed> {
    let value = value.ok_or(Malformed::NoValue)?;
    if value.len() > REPORT_MAX {
        return Err(Malformed::TooLong);
    }
    let Read { group, consumer, instance, incarnation, mut report } =
        serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    for (name, field) in [(&group, "group"), (&consumer, "consumer"), (&instance, "instance")] {
        if name.len() > NAME_MAX {
            return Err(Malformed::NameTooLong(field));
        }
    }
    // Whoever wrote it need not keep to the bounds.
    cut(&mut report);
    let (group, consumer, instance) =
        (GroupId::new(group), ConsumerName::new(consumer), InstanceName::new(instance));
    Ok(AgentTelemetry { group, consumer, instance, incarnation, report })
}
