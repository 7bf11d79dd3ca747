//! The lag of groups as Kafka's own `kafka-consumer-groups --describe` prints it: the judge of our numbers.

use flowdeck_broker::Tool;

use crate::records::Kafka;

/// One partition of one group. `None` where the tool prints `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub group: String,
    pub topic: String,
    pub partition: i32,
    pub committed: Option<i64>,
    pub end: Option<i64>,
    pub lag: Option<i64>,
    pub client: Option<String>,
}

impl Kafka {
    /// What the judge says of one group, ordered by topic and partition.
    pub fn judge(&self, group: &str) -> Vec<Row> {
        parse(&self.tool(Tool::ConsumerGroups, &["--describe", "--group", group]))
    }

    /// What the judge says of all groups.
    pub fn judge_all(&self) -> Vec<Row> {
        parse(&self.tool(Tool::ConsumerGroups, &["--describe", "--all-groups"]))
    }
}

/// The tool's tables, one per group. Cells are found by the place of the header's words, not by white space:
/// names of groups may have spaces. Java pads by UTF-16 units, so that is what is counted.
fn parse(text: &str) -> Vec<Row> {
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.starts_with("GROUP ") && line.contains("CURRENT-OFFSET") {
            columns = places(line);
        } else if let Some(row) = row(line, &columns) {
            rows.push(row);
        }
    }
    rows.sort();
    rows
}

type Column<'a> = (&'a str, usize, usize);

/// The header's words with where each begins and ends: the next one's beginning.
fn places(header: &str) -> Vec<Column<'_>> {
    let starts: Vec<usize> = header.split_whitespace().map(|word| place(header, word)).collect();
    let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
    header.split_whitespace().zip(&starts).zip(ends).map(|((word, start), end)| (word, *start, end)).collect()
}

/// Header words are ASCII; `HOST` must not be found within another word.
fn place(header: &str, word: &str) -> usize {
    let mut at = 0;
    for found in header.split(' ') {
        if found == word {
            return at;
        }
        at += found.len() + 1;
    }
    at
}

fn row(line: &str, columns: &[Column<'_>]) -> Option<Row> {
    let units: Vec<u16> = line.encode_utf16().collect();
    let cell = |name: &str| {
        let (_, start, end) = columns.iter().find(|(word, _, _)| *word == name)?;
        let cell = String::from_utf16_lossy(units.get(*start..(*end).min(units.len()))?);
        Some(cell.trim().to_owned()).filter(|cell| cell != "-" && !cell.is_empty())
    };
    let number = |name: &str| cell(name).and_then(|cell| cell.parse().ok());
    Some(Row {
        group: cell("GROUP")?,
        topic: cell("TOPIC")?,
        partition: cell("PARTITION")?.parse().ok()?,
        committed: number("CURRENT-OFFSET"),
        end: number("LOG-END-OFFSET"),
        lag: number("LAG"),
        client: cell("CLIENT-ID"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_two_groups_one_with_spaces() {
        let text = "\nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\n\
            my group        orders          0          5               12              7               -               -               -\n\
            my group        orders          1          -               3               -               -               -               -\n\
            \nConsumer group 'gone' has no active members.\n\
            \nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\n\
            b               orders          0          12              12              0               rdkafka-1       /127.0.0.1      rdkafka\n";
        let rows = parse(text);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].group, "b");
        assert_eq!((rows[0].lag, rows[0].client.as_deref()), (Some(0), Some("rdkafka")));
        assert_eq!((rows[1].group.as_str(), rows[1].committed, rows[1].lag), ("my group", Some(5), Some(7)));
        assert_eq!((rows[2].committed, rows[2].end, rows[2].lag), (None, Some(3), None));
    }
}
