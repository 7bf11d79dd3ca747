//! The `kafka-acls` commands of DEPLOY.md, by the comment above them.

const DEPLOY: &str = include_str!("../../../docs/DEPLOY.md");
const SECTION: &str = "\n## Rights on the cluster\n";

/// What the document's comments call its sets.
pub(super) const VIEW: &str = "view";
pub(super) const PEEK: &str = "peek";
pub(super) const CONTROL: &str =
    "control, where an administrator has made the topics (one partition each, flowdeck.holds compacted)";
pub(super) const CREATE: &str = "control, where Flowdeck is to make them";
pub(super) const RETENTION: &str = "raise retention";
pub(super) const AGENT: &str = "agent";

/// The lines of the section's commands and comments, each on one line.
fn lines() -> Vec<String> {
    let (_, section) = DEPLOY.split_once(SECTION).expect("the section on rights");
    let section = section.split("\n## ").next().unwrap_or_default().replace("\\\n", " ");
    let code = section.split("```").skip(1).step_by(2);
    code.flat_map(str::lines).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Arguments of each command of a set, as a shell has them, without the cluster's address, which the document
/// leaves out.
pub(super) fn commands(of: &str) -> Vec<Vec<String>> {
    let mut set = String::new();
    let mut found = Vec::new();
    for line in lines() {
        match line.strip_prefix("# ") {
            Some(comment) => set = comment.to_owned(),
            None if set == of => found.push(arguments(&line)),
            None => {}
        }
    }
    assert!(!found.is_empty(), "no command for {of:?}");
    found
}

fn arguments(line: &str) -> Vec<String> {
    let words = line.strip_prefix("kafka-acls ").unwrap_or_else(|| panic!("no kafka-acls: {line}"));
    let words = words.replace("--bootstrap-server … --command-config …", "…");
    let words = words.strip_prefix("… ").unwrap_or_else(|| panic!("no address is left out: {line}"));
    words.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect()
}

/// A set that the test does not know would be one that it does not run.
#[test]
fn every_set_of_the_document_is_known() {
    let all: Vec<_> =
        lines().into_iter().filter_map(|line| Some(line.strip_prefix("# ")?.to_owned())).collect();
    assert_eq!(all, [VIEW, RETENTION, PEEK, CONTROL, CREATE, AGENT]);
}
