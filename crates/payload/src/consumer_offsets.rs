//! Records of `__consumer_offsets`, as Kafka's `OffsetCommitKey.json` and its like lay them out.

use crate::input::{Input, Result, Stop};
use crate::text::hex;
use crate::writer::Writer;

pub(crate) const TOPIC: &str = "__consumer_offsets";

/// Members of one group that are listed.
const MEMBERS_MAX: usize = 100_000;

pub(crate) fn key(bytes: &[u8], out: &mut Writer) -> Result<()> {
    let mut input = Input::new(bytes);
    let version = input.unsigned(2)?;
    let (name, fields): (&str, &[&str]) = match version {
        0 | 1 => ("offsetCommit", &["group", "topic"]),
        2 => ("groupMetadata", &["group"]),
        3 => ("consumerGroupMetadata", &["group"]),
        4 => ("consumerGroupPartitionMetadata", &["group"]),
        5 => ("consumerGroupMemberMetadata", &["group", "member"]),
        6 => ("consumerGroupTargetAssignmentMetadata", &["group"]),
        7 => ("consumerGroupTargetAssignmentMember", &["group", "member"]),
        8 => ("consumerGroupCurrentMemberAssignment", &["group", "member"]),
        other => return Err(Stop::fault(0, format!("a key of version {other}, which is not known"))),
    };
    out.raw("{")?;
    out.key("record")?;
    out.string(name)?;
    for field in fields {
        out.raw(",")?;
        out.key(field)?;
        text(&mut input, out)?;
    }
    if version < 2 {
        out.raw(",")?;
        out.key("partition")?;
        out.display(i32::from_be_bytes(input.array()?))?;
    }
    out.raw("}")?;
    input.finish()
}

/// What a value is depends on its key.
pub(crate) fn value(key: Option<&[u8]>, bytes: &[u8], out: &mut Writer) -> Result<()> {
    match key.and_then(|key| Input::new(key).unsigned(2).ok()) {
        Some(0 | 1) => commit(bytes, out),
        Some(2) => group(bytes, out),
        Some(other) => Err(Stop::fault(0, format!("values under keys of version {other} are not decoded"))),
        None => Err(Stop::fault(0, "its key, which says what it is, cannot be read")),
    }
}

fn commit(bytes: &[u8], out: &mut Writer) -> Result<()> {
    let mut input = Input::new(bytes);
    let version = input.unsigned(2)?;
    if version > 4 {
        return Err(Stop::fault(0, format!("an offset commit of version {version}, which is not known")));
    }
    out.raw("{")?;
    out.key("offset")?;
    out.display(i64::from_be_bytes(input.array()?))?;
    if version >= 3 {
        out.raw(",")?;
        out.key("leaderEpoch")?;
        out.display(i32::from_be_bytes(input.array()?))?;
    }
    out.raw(",")?;
    out.key("metadata")?;
    if version >= 4 {
        compact_text(&mut input, out)?
    } else {
        text(&mut input, out)?
    }
    out.raw(",")?;
    out.key("commitTimestamp")?;
    out.display(i64::from_be_bytes(input.array()?))?;
    if version == 1 {
        out.raw(",")?;
        out.key("expireTimestamp")?;
        out.display(i64::from_be_bytes(input.array()?))?;
    }
    out.raw("}")?;
    // Version 4 ends with tagged fields: the topic's id.
    if version >= 4 { Ok(()) } else { input.finish() }
}

fn group(bytes: &[u8], out: &mut Writer) -> Result<()> {
    let mut input = Input::new(bytes);
    let version = input.unsigned(2)?;
    if version > 3 {
        return Err(Stop::fault(0, format!("group metadata of version {version}, which is not decoded")));
    }
    out.raw("{")?;
    out.key("protocolType")?;
    text(&mut input, out)?;
    out.raw(",")?;
    out.key("generation")?;
    out.display(i32::from_be_bytes(input.array()?))?;
    for field in ["protocol", "leader"] {
        out.raw(",")?;
        out.key(field)?;
        text(&mut input, out)?;
    }
    if version >= 2 {
        out.raw(",")?;
        out.key("currentStateTimestamp")?;
        out.display(i64::from_be_bytes(input.array()?))?;
    }
    out.raw(",")?;
    out.key("members")?;
    members(&mut input, version, out)?;
    out.raw("}")?;
    input.finish()
}

fn members(input: &mut Input<'_>, version: u64, out: &mut Writer) -> Result<()> {
    let at = input.at();
    let count = i32::from_be_bytes(input.array()?);
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= MEMBERS_MAX) else {
        return Err(Stop::fault(at, format!("{count} members")));
    };
    out.raw("[")?;
    for place in 0..count {
        out.comma(place)?;
        member(input, version, out)?;
    }
    out.raw("]")
}

fn member(input: &mut Input<'_>, version: u64, out: &mut Writer) -> Result<()> {
    out.raw("{")?;
    out.key("memberId")?;
    text(input, out)?;
    let texts: &[&str] = if version >= 3 {
        &["groupInstanceId", "clientId", "clientHost"]
    } else {
        &["clientId", "clientHost"]
    };
    for field in texts {
        out.raw(",")?;
        out.key(field)?;
        text(input, out)?;
    }
    let numbers: &[&str] =
        if version >= 1 { &["rebalanceTimeout", "sessionTimeout"] } else { &["sessionTimeout"] };
    for field in numbers {
        out.raw(",")?;
        out.key(field)?;
        out.display(i32::from_be_bytes(input.array()?))?;
    }
    for field in ["subscription", "assignment"] {
        out.raw(",")?;
        out.key(field)?;
        let at = input.at();
        let length = i32::from_be_bytes(input.array()?);
        let Ok(length) = usize::try_from(length) else {
            return Err(Stop::fault(at, format!("a length of {length}")));
        };
        out.string(&["0x", &hex(input.take(length)?)].concat())?;
    }
    out.raw("}")
}

/// A text after its length in two bytes; -1 is null.
fn text(input: &mut Input<'_>, out: &mut Writer) -> Result<()> {
    let at = input.at();
    match i16::from_be_bytes(input.array()?) {
        -1 => out.raw("null"),
        length => match usize::try_from(length) {
            Ok(length) => out.string(input.text(length)?),
            Err(_) => Err(Stop::fault(at, format!("a length of {length}"))),
        },
    }
}

/// A text after its length plus one; 0 is null.
fn compact_text(input: &mut Input<'_>, out: &mut Writer) -> Result<()> {
    match input.varint()? {
        0 => out.raw("null"),
        more => out.string(input.text(usize::try_from(more - 1).unwrap_or(usize::MAX))?),
    }
}
