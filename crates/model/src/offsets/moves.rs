//! Where each partition's commit is, and where it goes. As text, one line a topic: `orders 0*12*0 1*-*3`, each
//! partition with the offset that is committed and the one that will be, `-` for none. It is short and needs no
//! escapes in a form.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{PARTITIONS_MAX, TopicScope};
use crate::names::{Partition, TopicName};

/// One partition's commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffsetMove {
    pub topic: TopicName,
    pub partition: Partition,
    /// Committed before; `None`: nothing is.
    pub from: Option<i64>,
    /// `None`: the commit is deleted.
    pub to: Option<i64>,
}

impl OffsetMove {
    /// Offsets that are not read any more. Where nothing was committed, it is not known where reading would begin.
    pub fn skipped(&self) -> u64 {
        match (self.from, self.to) {
            (Some(from), Some(to)) => u64::try_from(to.saturating_sub(from)).unwrap_or(0),
            _ => 0,
        }
    }

    /// Offsets that are read again.
    pub fn replayed(&self) -> u64 {
        match (self.from, self.to) {
            (Some(from), Some(to)) => u64::try_from(from.saturating_sub(to)).unwrap_or(0),
            _ => 0,
        }
    }
}

/// At least one and at most [`PARTITIONS_MAX`], each partition once, each with a change, by topic and partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String))]
#[serde(try_from = "String", into = "String")]
pub struct OffsetMoves(Vec<OffsetMove>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MovesError {
    #[error("no partition's offset is changed")]
    Nothing,
    #[error("{0} partitions are more than {PARTITIONS_MAX}: name some of the topics")]
    TooMany(usize),
    #[error("line {line}: a topic and partitions such as 0*12*0, as the preview gives them")]
    Text { line: usize },
    #[error("{0} partition {1} is there twice")]
    Twice(TopicName, Partition),
    #[error("{0} partition {1} is not changed")]
    Unchanged(TopicName, Partition),
}

impl OffsetMoves {
    pub fn new(mut moves: Vec<OffsetMove>) -> Result<Self, MovesError> {
        if moves.is_empty() {
            return Err(MovesError::Nothing);
        }
        if moves.len() > PARTITIONS_MAX {
            return Err(MovesError::TooMany(moves.len()));
        }
        moves.sort();
        let same = |two: &[OffsetMove]| two[0].topic == two[1].topic && two[0].partition == two[1].partition;
        if let Some(two) = moves.windows(2).find(|two| same(two)) {
            return Err(MovesError::Twice(two[0].topic.clone(), two[0].partition));
        }
        match moves.iter().find(|one| one.from == one.to) {
            Some(one) => Err(MovesError::Unchanged(one.topic.clone(), one.partition)),
            None => Ok(Self(moves)),
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &OffsetMove> {
        self.0.iter()
    }

    /// Never 0.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn topics(&self) -> Vec<TopicName> {
        let mut topics: Vec<TopicName> = self.0.iter().map(|one| one.topic.clone()).collect();
        topics.dedup();
        topics
    }

    /// The same partitions, as a query names them.
    pub fn scope(&self) -> Vec<TopicScope> {
        let of = |topic: TopicName| {
            let own = self.0.iter().filter(|one| one.topic == topic);
            TopicScope { partitions: own.map(|one| one.partition).collect(), topic }
        };
        self.topics().into_iter().map(of).collect()
    }

    pub fn skipped(&self) -> u64 {
        self.0.iter().map(OffsetMove::skipped).fold(0, u64::saturating_add)
    }

    pub fn replayed(&self) -> u64 {
        self.0.iter().map(OffsetMove::replayed).fold(0, u64::saturating_add)
    }

    /// A commit is deleted.
    pub fn deletes(&self) -> bool {
        self.0.iter().any(|one| one.to.is_none())
    }
}

impl fmt::Display for OffsetMoves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut topics: BTreeMap<&TopicName, Vec<&OffsetMove>> = BTreeMap::new();
        for one in &self.0 {
            topics.entry(&one.topic).or_default().push(one);
        }
        let shown = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
        for (place, (topic, moves)) in topics.iter().enumerate() {
            let line = if place > 0 { "\n" } else { "" };
            write!(f, "{line}{topic}")?;
            for one in moves {
                write!(f, " {}*{}*{}", one.partition, shown(one.from), shown(one.to))?;
            }
        }
        Ok(())
    }
}

impl FromStr for OffsetMoves {
    type Err = MovesError;
    fn from_str(text: &str) -> Result<Self, MovesError> {
        let mut moves = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = MovesError::Text { line: at + 1 };
            let mut words = line.split_ascii_whitespace();
            let topic: TopicName = words.next().and_then(|word| word.parse().ok()).ok_or(wrong.clone())?;
            for word in words {
                moves.push(one(&topic, word).ok_or(wrong.clone())?);
            }
        }
        Self::new(moves)
    }
}

fn one(topic: &TopicName, word: &str) -> Option<OffsetMove> {
    let mut parts = word.split('*');
    let partition = parts.next()?.parse().ok()?;
    let mut offset = || match parts.next()? {
        "-" => Some(None),
        text => text.parse::<i64>().ok().filter(|offset| *offset >= 0).map(Some),
    };
    let (from, to) = (offset()?, offset()?);
    parts.next().is_none().then(|| OffsetMove { topic: topic.clone(), partition, from, to })
}

impl TryFrom<String> for OffsetMoves {
    type Error = MovesError;
    fn try_from(text: String) -> Result<Self, MovesError> {
        text.parse()
    }
}

impl From<OffsetMoves> for String {
    fn from(moves: OffsetMoves) -> Self {
        moves.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_are_written_and_read_back() {
        let text = "a.b 0*12*0 11*-*3\nc 2*5*-";
        let moves: OffsetMoves = text.parse().unwrap();
        assert_eq!(moves.to_string(), text);
        assert_eq!(moves.iter().next().unwrap().replayed(), 12);
        assert_eq!((moves.len(), moves.skipped(), moves.replayed()), (3, 0, 12));
        assert!(moves.deletes());
        assert_eq!(moves.topics().len(), 2);
        // In any order, with the line ends of a form.
        assert_eq!("c 2*5*-\r\na.b 11*-*3 0*12*0\r\n".parse::<OffsetMoves>().unwrap(), moves);
    }

    #[test]
    fn what_is_no_list_of_moves_is_refused() {
        for text in
            ["", "t", "t 0", "t 0*1", "t 0*1*2*3", "t 0*1*x", "t 0*-1*2", "t -1*1*2", "a/b 0*1*2", "t 0*1*1"]
        {
            assert!(text.parse::<OffsetMoves>().is_err(), "{text}");
        }
        let twice = "t 0*1*2\nt 0*1*3".parse::<OffsetMoves>();
        assert!(matches!(twice, Err(MovesError::Twice(..))), "{twice:?}");
        let many: String = (0..=PARTITIONS_MAX).map(|n| format!(" {n}*1*2")).collect();
        assert_eq!(format!("t{many}").parse::<OffsetMoves>(), Err(MovesError::TooMany(PARTITIONS_MAX + 1)));
    }
}
