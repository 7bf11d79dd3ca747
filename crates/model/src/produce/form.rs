//! A record as a form writes it.

use super::{Bytes, ProduceHeader, ProduceRequest};
use crate::error::PortError;
use crate::ids::CommandId;
use crate::names::{Partition, TopicName};

/// The fields of the form, as they were typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProduceForm {
    pub id: Option<CommandId>,
    pub partition: String,
    pub key: String,
    /// `text`, `hex` or `none`.
    pub key_as: String,
    pub value: String,
    pub value_as: String,
    /// One a line: `name: value`, `name` alone for null, `name hex: 00ff`.
    pub headers: String,
    pub source: String,
    /// The group that is to go past the source once its copy is written: its dead letter.
    pub skip: String,
    pub reason: String,
    /// It is to be sent, and not only looked at.
    pub send: bool,
}

impl ProduceForm {
    pub fn parse(fields: &str) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(fields.trim_start_matches('?').as_bytes()) {
            // Browsers send text areas with \r\n.
            let value = value.replace("\r\n", "\n");
            match &*name {
                "id" => form.id = value.parse().ok(),
                "partition" => form.partition = value,
                "key" => form.key = value,
                "keyAs" => form.key_as = value,
                "value" => form.value = value,
                "valueAs" => form.value_as = value,
                "headers" => form.headers = value,
                "source" => form.source = value,
                "skip" => form.skip = value,
                "reason" => form.reason = value.trim().to_owned(),
                "send" => form.send = value == "true",
                _ => {}
            }
        }
        form
    }

    /// As a record would have to be typed.
    pub fn of(request: &ProduceRequest) -> Self {
        let kind = |part: &Option<Bytes>| match part {
            None => "none",
            Some(Bytes::Text(_)) => "text",
            Some(Bytes::Hex(_)) => "hex",
        };
        let text =
            |part: &Option<Bytes>| part.as_ref().map(|part| part.written().to_owned()).unwrap_or_default();
        Self {
            id: None,
            partition: request.partition.map(|partition| partition.to_string()).unwrap_or_default(),
            key: text(&request.key),
            key_as: kind(&request.key).to_owned(),
            value: text(&request.value),
            value_as: kind(&request.value).to_owned(),
            headers: request.headers.iter().map(header_line).collect(),
            source: request.source.as_ref().map(ToString::to_string).unwrap_or_default(),
            skip: String::new(),
            reason: request.reason.clone(),
            send: false,
        }
    }

    pub fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("partition", self.partition.clone()),
            ("key", self.key.clone()),
            ("keyAs", self.key_as.clone()),
            ("value", self.value.clone()),
            ("valueAs", self.value_as.clone()),
            ("headers", self.headers.clone()),
            ("source", self.source.clone()),
            ("skip", self.skip.clone()),
        ]
    }

    pub fn request(&self, topic: &TopicName) -> Result<ProduceRequest, PortError> {
        let partition = match self.partition.trim() {
            "" => None,
            number => {
                let parsed = number.parse().ok().and_then(Partition::new);
                Some(parsed.ok_or_else(|| PortError::invalid("partition", "a number of a partition"))?)
            }
        };
        let source = match self.source.is_empty() {
            true => None,
            false => Some(self.source.parse()?),
        };
        let lines = self.headers.lines().filter(|line| !line.trim().is_empty());
        Ok(ProduceRequest {
            topic: topic.clone(),
            partition,
            key: part("keyAs", &self.key_as, &self.key)?,
            value: part("valueAs", &self.value_as, &self.value)?,
            headers: lines.map(header).collect(),
            source,
            reason: self.reason.clone(),
        })
    }
}

fn part(field: &str, kind: &str, text: &str) -> Result<Option<Bytes>, PortError> {
    match kind {
        "none" => Ok(None),
        "text" | "" => Ok(Some(Bytes::Text(text.to_owned()))),
        "hex" => Ok(Some(Bytes::Hex(text.to_owned()))),
        _ => Err(PortError::invalid(field, "text, hex or none")),
    }
}

const HEX: &str = " hex";

fn header(line: &str) -> ProduceHeader {
    let Some((name, value)) = line.split_once(':') else {
        return ProduceHeader { name: line.trim().to_owned(), value: None };
    };
    let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
    let (name, value) = match name.strip_suffix(HEX) {
        Some(name) => (name, Bytes::Hex(value)),
        None => (name, Bytes::Text(value)),
    };
    ProduceHeader { name: name.trim().to_owned(), value: Some(value) }
}

fn header_line(header: &ProduceHeader) -> String {
    match &header.value {
        None => format!("{}\n", header.name),
        Some(Bytes::Text(text)) if !text.contains('\n') => format!("{}: {text}\n", header.name),
        Some(Bytes::Text(text)) => {
            let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("{}{HEX}: {hex}\n", header.name)
        }
        Some(Bytes::Hex(hex)) => format!("{}{HEX}: {hex}\n", header.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_says_the_same_as_its_request() {
        let topic: TopicName = "orders".parse().unwrap();
        let text = "partition=2&key=k&value=a%0D%0Ab&headers=trace:+t-1%0D%0Aempty%0D%0Araw+hex:+00ff&source=orders+0@7&reason=r";
        let request = ProduceForm::parse(text).request(&topic).unwrap();
        assert_eq!((request.value.as_ref().unwrap().written(), request.headers.len()), ("a\nb", 3));
        assert_eq!(request.headers[2].value, Some(Bytes::Hex("00ff".to_owned())));
        assert_eq!(ProduceForm::of(&request).request(&topic), Ok(request));
        let tombstone = ProduceForm::parse("key=k&valueAs=none").request(&topic).unwrap();
        assert_eq!((tombstone.value, tombstone.partition), (None, None));
        for (text, field) in
            [("partition=x", "partition"), ("valueAs=base64", "valueAs"), ("source=a", "source")]
        {
            let refused = ProduceForm::parse(text).request(&topic);
            assert!(
                matches!(&refused, Err(PortError::Invalid { field: found, .. }) if found == field),
                "{refused:?}"
            );
        }
    }
}
