//! The same by Kafka's own tool, for a shell.

use flowdeck_model::offsets::{OffsetScope, OffsetTo, OffsetsQuery};
use flowdeck_model::view::OffsetPlan;

const TOOL: &str = "kafka-consumer-groups.sh --bootstrap-server \"$BOOTSTRAP\" --group ";

pub(super) fn line(query: &OffsetsQuery, plans: &[OffsetPlan]) -> String {
    let group = quoted(query.group.as_str());
    let to = match &query.to {
        OffsetTo::Earliest => "--to-earliest".to_owned(),
        OffsetTo::Latest => "--to-latest".to_owned(),
        OffsetTo::Time(time) => format!("--to-datetime {}", time.to_string().trim_end_matches('Z')),
        OffsetTo::Offset(offset) => format!("--to-offset {offset}"),
        OffsetTo::Shift(by) => format!("--shift-by {by}"),
        OffsetTo::None => return format!("{TOOL}{group} --delete-offsets{}", topics(query, plans)),
        OffsetTo::File(_) | OffsetTo::Group(_) | OffsetTo::Undo(_) => return from_file(&group, plans),
    };
    let scope = match &query.scope {
        OffsetScope::AllTopics => " --all-topics".to_owned(),
        OffsetScope::Topics(_) => topics(query, plans),
    };
    format!("{TOOL}{group} --reset-offsets {to}{scope} --execute")
}

fn topics(query: &OffsetsQuery, plans: &[OffsetPlan]) -> String {
    let names: Vec<String> = match &query.scope {
        OffsetScope::Topics(topics) => topics.iter().map(ToString::to_string).collect(),
        OffsetScope::AllTopics => {
            let mut names: Vec<String> = plans.iter().map(|one| one.topic.to_string()).collect();
            names.dedup();
            names
        }
    };
    names.iter().map(|name| format!(" --topic {name}")).collect()
}

/// Kafka's tool has no copy and no undo: the file says what they come to. It cannot delete a commit.
fn from_file(group: &str, plans: &[OffsetPlan]) -> String {
    let row = |one: &OffsetPlan| Some(format!("{},{},{}", one.topic, one.partition, one.to?));
    let rows: Vec<String> = plans.iter().filter(|one| one.to != one.from).filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let rows = rows.join("\n");
    format!(
        "cat > offsets.csv <<'END'\n{rows}\nEND\n{TOOL}{group} --reset-offsets --from-file offsets.csv --execute"
    )
}

/// For a POSIX shell.
fn quoted(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !name.is_empty() && name.bytes().all(plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a.b-c_d"), "a.b-c_d");
        assert_eq!(quoted("a b'; rm -rf /"), r"'a b'\''; rm -rf /'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn each_target_as_kafkas_tool_takes_it() {
        let scope = || OffsetScope::of(vec!["orders:0,2".parse().unwrap()], false).unwrap();
        for (to, want) in [
            ("earliest", "--reset-offsets --to-earliest --topic orders:0,2 --execute"),
            ("2026-11-29T08:00:00Z", "--to-datetime 2026-11-29T08:00:00.000 --topic orders:0,2 --execute"),
            ("12", "--to-offset 12 "),
            ("-3", "--shift-by -3 "),
            ("none", "--group g --delete-offsets --topic orders:0,2"),
        ] {
            let query = OffsetsQuery { group: "g".into(), to: to.parse().unwrap(), scope: scope() };
            let line = line(&query, &[]);
            assert!(line.contains(want), "{line}");
        }
    }
}
