//! `flowdeck peek`: records of a topic, a line of JSON for each; also as they come.

use std::io::{BufReader, Write as _};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use clap::Args;
use flowdeck_model::{ClusterName, Partition, TopicName, shown};
use serde_json::Value;

use super::api::{Answer, Api};
use super::args::Server;
use super::cluster;
use super::exit::{Exit, Failed};

/// The server says something every 5 s.
const SILENCE: Duration = Duration::from_secs(30);
/// Lines that wait to be printed.
const WAITING: usize = 64;

#[derive(Debug, Args)]
pub struct Peek {
    #[command(flatten)]
    pub server: Server,
    /// Where the server has more than one.
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// The topic.
    pub topic: TopicName,
    /// Only this partition.
    #[arg(long)]
    pub partition: Option<Partition>,
    /// `latest`, `earliest`, `offset:N` (with --partition), `time:T`; with --follow `latest` alone.
    #[arg(long, default_value = "latest")]
    pub from: String,
    /// Records at most; with --follow a second.
    #[arg(long)]
    pub limit: Option<u32>,
    /// Print records as they come, until Ctrl-C.
    #[arg(long)]
    pub follow: bool,
    /// Only records with this text in key, value or a header.
    #[arg(long)]
    pub text: Option<String>,
    /// Only records with this text in the key.
    #[arg(long)]
    pub key: Option<String>,
    /// Only records with this header: `name`, or `name:text`.
    #[arg(long)]
    pub header: Option<String>,
    /// Only records whose value has this at a path, such as `$.amount > 10`.
    #[arg(long)]
    pub path: Option<String>,
    /// Only records for which this expression of CEL is true.
    #[arg(long)]
    pub cel: Option<String>,
    /// Read the key as this, in place of what the configuration or the bytes say; the API's topic lists them.
    #[arg(long)]
    pub key_decoder: Option<String>,
    /// The same of the value.
    #[arg(long)]
    pub value_decoder: Option<String>,
    /// Without masks.
    #[arg(long)]
    pub unmasked: bool,
}

pub(super) fn run(args: &Peek) -> Result<Exit, Failed> {
    let api = Api::new(&args.server)?;
    let cluster = cluster(&api, args.cluster.as_ref())?;
    let path = format!("/clusters/{cluster}/topics/{}/messages", args.topic);
    let query = query(args);
    if args.follow {
        return follow(&api, &format!("{path}/tail?{query}"));
    }
    // As a shell is read: the newest last.
    let answer: Answer<Value> = api.get(&format!("{path}?{query}&order=asc"))?;
    print(&answer.view);
    Ok(Exit::Done)
}

fn query(args: &Peek) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("from", &args.from);
    let numbers = [
        ("partition", args.partition.map(|one| one.to_string())),
        ("limit", args.limit.map(|one| one.to_string())),
    ];
    for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        query.append_pair(name, &value);
    }
    let texts = [
        ("text", &args.text),
        ("key", &args.key),
        ("header", &args.header),
        ("path", &args.path),
        ("cel", &args.cel),
        ("keyDecoder", &args.key_decoder),
        ("valueDecoder", &args.value_decoder),
    ];
    for (name, value) in texts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        query.append_pair(name, value);
    }
    if args.unmasked {
        query.append_pair("unmasked", "true");
    }
    query.finish()
}

/// Says whether somebody reads it.
fn print(view: &Value) -> bool {
    let mut out = std::io::stdout().lock();
    for record in view["records"].as_array().into_iter().flatten() {
        if writeln!(out, "{}", line(record)).is_err() {
            return false;
        }
    }
    if let Some(left_out) = view["leftOut"].as_u64().filter(|left_out| *left_out > 0) {
        eprintln!("{left_out} records were left out: more came than the limit");
    }
    if let Some(note) = view["note"].as_str() {
        eprintln!("{}", shown::text(note));
    }
    out.flush().is_ok()
}

/// What could deceive a terminal is escaped, as JSON does it.
fn line(record: &Value) -> String {
    let mut line = String::new();
    for c in record.to_string().chars() {
        if shown::is_hidden(c) {
            line.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            line.push(c);
        }
    }
    line
}

/// What the stream says.
enum Said {
    Records(Value),
    /// It goes on.
    Beat,
    /// Why it ends.
    Bye(String),
}

fn follow(api: &Api, path: &str) -> Result<Exit, Failed> {
    let stream = api.stream(path)?;
    let (said, heard) = sync_channel(WAITING);
    // It waits for bytes without a limit of its own; the process ends without it.
    std::thread::spawn(move || read(BufReader::new(stream), &said));
    loop {
        match heard.recv_timeout(SILENCE) {
            Ok(Said::Records(view)) if !print(&view) => return Ok(Exit::Done),
            Ok(Said::Records(_) | Said::Beat) => {}
            Ok(Said::Bye(reason)) => {
                return Err(Failed::new(
                    Exit::NotDone,
                    format!("the server ended it: {}", shown::text(&reason)),
                ));
            }
            Err(RecvTimeoutError::Timeout) => {
                return Err(Failed::new(
                    Exit::Unreachable,
                    format!("nothing was heard for {} s", SILENCE.as_secs()),
                ));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failed::new(Exit::Unreachable, "the connection ended"));
            }
        }
    }
}

/// Server-sent events, of which each has one line of data here.
fn read(stream: impl std::io::BufRead, said: &SyncSender<Said>) {
    let mut event = String::new();
    for line in stream.lines() {
        let Ok(line) = line else { return };
        if let Some(name) = line.strip_prefix("event:") {
            name.trim().clone_into(&mut event);
        }
        let Some(data) = line.strip_prefix("data:") else { continue };
        let data: Value = serde_json::from_str(data.trim()).unwrap_or_default();
        let one = match event.as_str() {
            "records" => Said::Records(data),
            "bye" => Said::Bye(data["reason"].as_str().unwrap_or("it did not say why").to_owned()),
            _ => Said::Beat,
        };
        if said.send(one).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_same_and_cannot_deceive() {
        let record = serde_json::json!({ "value": "a\u{202e}b\u{1b}[2J\u{9b}ü\n" });
        let line = line(&record);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), record);
        assert!(line.contains('ü') && !line.contains(['\u{202e}', '\u{1b}', '\u{9b}', '\n']), "{line}");
    }

    #[test]
    fn events_are_read_line_by_line() {
        let text = "event: beat\ndata: {\"now\":1}\n\nid: 7\nevent: records\ndata: {\"records\":[]}\n\n\
                    event: bye\ndata: {\"reason\":\"shutdown\"}\n\n";
        let (said, heard) = sync_channel(WAITING);
        read(text.as_bytes(), &said);
        drop(said);
        let all: Vec<Said> = heard.iter().collect();
        let [Said::Beat, Said::Records(view), Said::Bye(reason)] = &all[..] else { panic!("{}", all.len()) };
        assert!(view["records"].is_array() && reason == "shutdown");
    }
}
