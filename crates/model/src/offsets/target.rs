//! Where offsets are set to, as API, form and command line write it.

use std::fmt;
use std::str::FromStr;

use super::PARTITIONS_MAX;
use crate::error::PortError;
use crate::ids::CommandId;
use crate::names::{GroupId, Partition, TopicName};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OffsetTo {
    /// The log's start.
    Earliest,
    /// The log's end.
    Latest,
    /// The first record at or after this time; the end where there is none.
    Time(Timestamp),
    Offset(i64),
    /// So many further, or back.
    Shift(i64),
    /// Partition by partition.
    File(Vec<FileRow>),
    /// What another group has committed.
    Group(GroupId),
    /// What was committed before this operation.
    Undo(CommandId),
    /// Deletes the commits.
    None,
}

/// A line of a file in Kafka's form: `orders,0,12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    pub topic: TopicName,
    pub partition: Partition,
    pub offset: i64,
}

impl OffsetTo {
    /// It names the partitions itself.
    pub fn names_partitions(&self) -> bool {
        matches!(self, Self::File(_) | Self::Group(_) | Self::Undo(_))
    }
}

/// A file has no text: its lines come beside it.
impl fmt::Display for OffsetTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Time(time) => time.fmt(f),
            Self::Offset(offset) => offset.fmt(f),
            Self::Shift(by) => write!(f, "{by:+}"),
            Self::File(_) => f.write_str("file"),
            Self::Group(group) => write!(f, "group:{}", group.as_str()),
            Self::Undo(id) => write!(f, "undo:{id}"),
            Self::None => f.write_str("none"),
        }
    }
}

const FORMS: &str = "earliest, latest, a time such as 2026-11-29T08:00:00Z, an offset such as 120, a shift such as +10 or \
    -10, file, group:<name>, undo:<operation>, or none";

impl FromStr for OffsetTo {
    type Err = PortError;
    fn from_str(text: &str) -> Result<Self, PortError> {
        let text = text.trim();
        let wrong = || PortError::invalid("to", FORMS);
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            "none" => return Ok(Self::None),
            "file" => {
                return Err(PortError::invalid("file", "its lines are missing: topic,partition,offset"));
            }
            _ => {}
        }
        if let Some(group) = text.strip_prefix("group:") {
            return Ok(Self::Group(group.into()));
        }
        if let Some(id) = text.strip_prefix("undo:") {
            return id.trim().parse().map(Self::Undo).map_err(|_| wrong());
        }
        if text.starts_with(['+', '-']) {
            return text.parse().map(Self::Shift).map_err(|_| wrong());
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Offset).map_err(|_| wrong());
        }
        Timestamp::parse_given(text).map(Self::Time).ok_or_else(wrong)
    }
}

/// Lines `topic,partition,offset`; with the group before them, as Kafka's tool writes them for several groups, those of
/// `group` count. Names may be in quotes.
pub fn file_rows(text: &str, group: &GroupId) -> Result<Vec<FileRow>, PortError> {
    let mut rows: Vec<FileRow> = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &str| PortError::invalid("file", format!("line {}: {what}", at + 1));
        let cells: Vec<&str> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
        let cells = match cells[..] {
            [_, _, _] => &cells[..],
            [owner, _, _, _] if owner == group.as_str() => &cells[1..],
            [_, _, _, _] => continue,
            _ => return Err(wrong("three cells, such as orders,0,12")),
        };
        let topic = cells[0].parse().map_err(|_| wrong("no name of a topic"))?;
        let partition = cells[1].parse().map_err(|_| wrong("the partition is a whole number"))?;
        let offset = cells[2].parse::<i64>().ok().filter(|offset| *offset >= 0);
        let offset = offset.ok_or_else(|| wrong("the offset is a whole number"))?;
        if rows.iter().any(|one| one.topic == topic && one.partition == partition) {
            return Err(wrong("this partition is there twice"));
        }
        rows.push(FileRow { topic, partition, offset });
        if rows.len() > PARTITIONS_MAX {
            return Err(wrong("more lines than partitions in one operation"));
        }
    }
    if rows.is_empty() {
        return Err(PortError::invalid("file", "no line of it is for this group"));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_written_and_read_back() {
        for text in
            ["earliest", "latest", "none", "0", "120", "+10", "-10", "group:a b", "2026-11-29T08:00:00.000Z"]
        {
            assert_eq!(text.parse::<OffsetTo>().unwrap().to_string(), text);
        }
        let undo = format!("undo:{}", CommandId::random());
        assert_eq!(undo.parse::<OffsetTo>().unwrap().to_string(), undo);
        for text in ["", "file", "soon", "+x", "99999999999999999999", "undo:7"] {
            assert!(text.parse::<OffsetTo>().is_err(), "{text}");
        }
    }

    #[test]
    fn files_in_kafkas_form() {
        let group = GroupId::from("g");
        let rows = file_rows("orders,0,12\r\n\"orders\",1,0\n\n", &group).unwrap();
        assert_eq!((rows.len(), rows[0].offset, rows[1].partition.get()), (2, 12, 1));
        let several = file_rows("g,orders,0,12\nother,orders,0,7\n", &group).unwrap();
        assert_eq!((several.len(), several[0].offset), (1, 12));
        for (text, want) in [
            ("", "no line"),
            ("orders,0", "line 1"),
            ("orders,0,1\norders,0,2", "line 2"),
            ("orders,x,1", "partition"),
            ("orders,0,-1", "offset"),
            ("a b,0,1", "topic"),
            ("other,orders,0,7", "no line"),
        ] {
            let error = file_rows(text, &group).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
