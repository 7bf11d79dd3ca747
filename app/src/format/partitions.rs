//! Partitions in few words: `0–3, 5`.

use flowdeck_model::Partition;
use flowdeck_model::view::TopicPartitions;

/// Numbers in order, runs of three or more as one.
pub(crate) fn ranges(partitions: &[Partition]) -> String {
    let mut numbers: Vec<i32> = partitions.iter().map(|partition| partition.get()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut words: Vec<String> = Vec::new();
    for run in numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        match run {
            [first, _, .., last] => words.push(format!("{first}–{last}")),
            few => words.extend(few.iter().map(i32::to_string)),
        }
    }
    words.join(", ")
}

/// `orders 0–3; refunds 1`; "none" where there are none.
pub(crate) fn by_topic(topics: &[TopicPartitions]) -> String {
    let words: Vec<String> = topics
        .iter()
        .filter(|topic| !topic.partitions.is_empty())
        .map(|topic| [topic.topic.as_str(), " ", &ranges(&topic.partitions)].concat())
        .collect();
    if words.is_empty() { "none".to_owned() } else { words.join("; ") }
}

pub(crate) fn count(topics: &[TopicPartitions]) -> usize {
    topics.iter().map(|topic| topic.partitions.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_short() {
        let words = |numbers: &[i32]| {
            ranges(&numbers.iter().map(|n| Partition::new(*n).unwrap()).collect::<Vec<_>>())
        };
        for (numbers, want) in [
            (&[] as &[i32], ""),
            (&[3], "3"),
            (&[1, 0], "0, 1"),
            (&[2, 0, 1, 1, 7, i32::MAX], "0–2, 7, 2147483647"),
        ] {
            assert_eq!(words(numbers), want);
        }
    }
}
