//! What can be asked of a running Flowdeck from a shell.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use flowdeck_model::action::Workers;
use flowdeck_model::offsets::TopicScope;
use flowdeck_model::{
    ClusterName, CommandId, ConsumerName, GroupId, HoldBy, Partition, PortError, Timestamp, TopicName,
};

#[derive(Debug, Subcommand)]
pub enum Ask {
    /// List the consumer groups, sorted by severity.
    Groups(Groups),
    /// Show the lag of a group, partition by partition.
    Lag(OneGroup),
    /// List the newest operations of a group, or show one.
    Operations(Operations),
    /// Show who asked for what, and what came of it.
    Audit(Audit),
    /// Print records of a topic, a line of JSON for each.
    Peek(super::peek::Peek),
    /// One operation over many groups.
    #[command(subcommand)]
    Bulk(super::bulk::Bulk),
    /// Resume a part of what is paused first, then the rest, or pause the part again.
    #[command(subcommand)]
    Canary(super::canary::Canary),
    #[command(flatten)]
    Operate(Operate),
}

#[derive(Debug, Subcommand)]
pub enum Operate {
    /// Pause a group, one of its consumers, or topics of either.
    Pause(Pause),
    /// Resume what was paused.
    Resume(Resume),
    /// Stop a consumer: it leaves its group.
    Stop(OneConsumer),
    /// Start a consumer that was stopped.
    Start(OneConsumer),
    /// Restart a consumer.
    Restart(OneConsumer),
    /// Change how many workers a consumer has in each instance.
    Workers(ChangeWorkers),
    /// Set the offsets of a group, or of a consumer that runs.
    Reset(Reset),
    /// Delete a group without members, with its offsets.
    DeleteGroup(DeleteGroup),
}

/// Where the server is.
#[derive(Debug, Args)]
pub struct Server {
    /// The address of the pages.
    #[arg(long, value_name = "URL", env = "FLOWDECK_URL", default_value = "http://127.0.0.1:8077/kafkaflow")]
    pub url: String,
    /// A bearer token, where there is sign-in; better as the variable, since other users can read a command line.
    #[arg(long, value_name = "TOKEN", env = "FLOWDECK_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Print the answer of the API instead of a table.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Groups {
    #[command(flatten)]
    pub server: Server,
    /// Only this cluster.
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// Part of a group's, topic's or cluster's name.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub search: String,
    /// Only these verdicts, by commas.
    #[arg(long)]
    pub verdict: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    pub limit: u32,
}

#[derive(Debug, Args)]
pub struct OneGroup {
    #[command(flatten)]
    pub server: Server,
    /// Where the server has more than one.
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// The consumer group.
    pub group: GroupId,
}

/// What every operation takes.
#[derive(Debug, Args)]
pub struct Operation {
    #[command(flatten)]
    pub server: Server,
    /// Where the server has more than one.
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// Why: the next person on call reads it.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Wait until it is confirmed or its time is over.
    #[arg(long)]
    pub wait: bool,
    /// Show what it would do, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Send again under the id that a call which failed has named: it is the same operation, and is done once. By default
    /// a new one.
    #[arg(long = "id", value_name = "ID")]
    pub own_id: Option<CommandId>,
}

impl Operation {
    pub(super) fn new_id(&self) -> CommandId {
        self.own_id.unwrap_or_else(CommandId::random)
    }
}

#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    pub target: Part,
    /// Ends by itself after so long, such as 15m or 2h.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub lasts: Option<Duration>,
    /// Ends by itself at this time, such as 2026-11-29T08:00:00Z; without a zone it is UTC.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "lasts")]
    pub until: Option<Timestamp>,
    /// How it is kept with KafkaFlow consumers: stop (whole groups and consumers) or pause. By default stop where records
    /// wait, else pause; the cluster's configuration may say otherwise.
    #[arg(long, value_parser = by)]
    pub by: Option<HoldBy>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_given(text).ok_or_else(|| "a time, such as 2026-11-29T08:00:00Z".to_owned())
}

fn by(word: &str) -> Result<HoldBy, String> {
    HoldBy::from_word(word).ok_or_else(|| "stop or pause".to_owned())
}

#[derive(Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    pub target: Part,
}

/// A group, a consumer of it, topics of either, or partitions of one topic.
#[derive(Debug, Args)]
pub struct Part {
    #[command(flatten)]
    pub operation: Operation,
    /// The consumer group.
    pub group: GroupId,
    /// Only this consumer of the group, by its name.
    #[arg(long)]
    pub consumer: Option<ConsumerName>,
    /// May be given more than once.
    #[arg(long = "topic", value_name = "TOPIC")]
    pub topics: Vec<TopicName>,
    /// Only these partitions of the one topic, such as 0,2. Only agents can pause a part of a topic.
    #[arg(long, value_name = "PARTITIONS", value_parser = partition, value_delimiter = ',', requires = "topics")]
    pub partitions: Vec<Partition>,
}

fn partition(number: &str) -> Result<Partition, String> {
    number.parse().ok().and_then(Partition::new).ok_or_else(|| "a number of a partition".to_owned())
}

#[derive(Debug, Args)]
pub struct OneConsumer {
    #[command(flatten)]
    pub operation: Operation,
    /// The consumer group.
    pub group: GroupId,
    /// The consumer's name, as its page or telemetry has it.
    pub consumer: ConsumerName,
}

#[derive(Debug, Args)]
pub struct ChangeWorkers {
    #[command(flatten)]
    pub target: OneConsumer,
    /// In each instance, 1 to 1,000.
    #[arg(value_parser = workers)]
    pub workers: Workers,
}

#[derive(Debug, Args)]
pub struct Reset {
    #[command(flatten)]
    pub operation: Operation,
    /// The consumer group.
    pub group: GroupId,
    /// A consumer that runs, by its name: it moves its own offsets, to `earliest` or a time. Without it the group's
    /// offsets are set, while it has no members, or by its agents.
    pub consumer: Option<ConsumerName>,
    /// `orders`, or some partitions: `orders:0,2`. May be given more than once.
    #[arg(long = "topic", value_name = "TOPIC", value_parser = scope)]
    pub topics: Vec<TopicScope>,
    /// Every topic that the group has committed, or that the target names.
    #[arg(long, conflicts_with = "topics")]
    pub all_topics: bool,
    /// `earliest`, `latest`, a time such as 2026-11-29T08:00:00Z, an offset, a shift such as +10 or -10, `group:<name>`,
    /// `undo:<operation>`, or `none`, which deletes the offsets.
    #[arg(
        long,
        allow_hyphen_values = true,
        required_unless_present = "from_file",
        conflicts_with = "from_file"
    )]
    pub to: Option<String>,
    /// A file with lines `topic,partition,offset`.
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
    /// Where consumers of KafkaFlow run in the group: stop them, set the offsets, and start them.
    #[arg(long, conflicts_with = "consumer")]
    pub stop: bool,
    #[command(flatten)]
    pub guards: Guards,
}

/// What an operation asks for that loses something.
#[derive(Debug, Args)]
pub struct Guards {
    /// Where records are skipped: how many, as `--dry-run` says.
    #[arg(long, value_name = "RECORDS")]
    pub skips: Option<u64>,
    /// Where offsets are deleted: the group's name once more.
    #[arg(long, value_name = "GROUP")]
    pub confirm: Option<String>,
}

#[derive(Debug, Args)]
pub struct DeleteGroup {
    #[command(flatten)]
    pub operation: Operation,
    /// The consumer group.
    pub group: GroupId,
    #[command(flatten)]
    pub guards: Guards,
}

#[derive(Debug, Args)]
pub struct Operations {
    #[command(flatten)]
    pub server: Server,
    /// Where the server has more than one.
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// A group, or the id of an operation.
    #[arg(value_parser = of)]
    pub of: Of,
}

#[derive(Debug, Args)]
pub struct Audit {
    #[command(flatten)]
    pub server: Server,
    /// Where the server has more than one.
    #[arg(long)]
    pub cluster: Option<ClusterName>,
    /// Part of a group's name.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub group: String,
    /// Part of who asked.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub by: String,
    /// Such as pause or rewind.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub action: String,
    /// Such as confirmed or timedOut.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub state: String,
    /// Part of the reason.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub search: String,
    /// Asked for at this time or later, such as 2026-11-29T08:00:00Z.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub from: String,
    /// Asked for before this time.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub to: String,
    /// Where the page before ended.
    #[arg(long, value_name = "OFFSET")]
    pub before: Option<i64>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    pub limit: u32,
}

#[derive(Debug, Clone)]
pub enum Of {
    Operation(CommandId),
    Group(GroupId),
}

pub(super) fn scope(text: &str) -> Result<TopicScope, String> {
    text.parse().map_err(|error: PortError| error.to_string())
}

fn workers(text: &str) -> Result<Workers, String> {
    let count: u32 = text.parse().map_err(|_| "a whole number".to_owned())?;
    Workers::try_from(count).map_err(|error| error.to_string())
}

fn of(text: &str) -> Result<Of, std::convert::Infallible> {
    Ok(text.parse().map(Of::Operation).unwrap_or_else(|_| Of::Group(text.into())))
}
