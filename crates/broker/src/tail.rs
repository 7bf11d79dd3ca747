//! The end of a log, for an error message.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};

/// The last `lines` lines that are not blank, without the frames of Java's stack traces; empty where the file
/// cannot be read.
pub fn tail(log: &Path, lines: usize) -> String {
    read(log).map(|text| last_lines(&text, lines)).unwrap_or_default()
}

/// Whether the end of a program's log says that somebody else listens on one of its ports.
pub(crate) fn lost_a_port(log: &Path) -> bool {
    tail(log, 15).contains("Address already in use")
}

/// The last 32 KiB.
fn read(log: &Path) -> Result<String> {
    let mut file = fs::File::open(log).context("open the log")?;
    let length = file.metadata().context("measure the log")?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(32 * 1024))).context("seek in the log")?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).context("read the log")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn last_lines(text: &str, lines: usize) -> String {
    let is_frame = |line: &str| line.starts_with("\tat ") || line.starts_with("\t... ");
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty() && !is_frame(line)).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_log() {
        assert_eq!(last_lines("a\n\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 5), "a");
        assert_eq!(last_lines("ERROR: no\n\tat kafka.X(X.scala:1)\n\t... 6 more\nb\n", 2), "ERROR: no\nb");
        assert_eq!(last_lines("", 5), "");
    }
}
