//! What a stream shows: which view, how two of its states differ, and their events.

use axum::response::sse::Event;
use flowdeck_model::live::{self, Live};
use flowdeck_model::view::{CommandView, FleetView, GroupView};
use flowdeck_model::{ClusterName, CommandId, FleetQuery, GroupId, PortError, Ports, Timestamp, Version};

use crate::api::names;

pub(super) enum Watch {
    Fleet(FleetQuery),
    Group(ClusterName, GroupId),
    Command(ClusterName, CommandId),
}

/// A state of the view, with the version that it was read at.
pub(super) struct Seen {
    pub(super) version: Version,
    view: View,
}

enum View {
    Fleet(FleetView),
    Group(Box<GroupView>),
    Command(Box<CommandView>),
}

impl Watch {
    /// `view=fleet` and the fleet's query; `view=group&cluster=…&group=…`; `view=command&cluster=…&id=…`.
    /// Names are encoded as in paths.
    pub(super) fn parse(query: &str) -> Result<Self, PortError> {
        let field = |wanted: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned())
        };
        let needed = |wanted: &str| field(wanted).ok_or_else(|| PortError::invalid(wanted, "it is missing"));
        match field("view").as_deref() {
            Some("fleet") => FleetQuery::parse(query, false).map(Self::Fleet),
            Some("group") => {
                Ok(Self::Group(names::cluster(&needed("cluster")?)?, names::group(&needed("group")?)?))
            }
            Some("command") => {
                Ok(Self::Command(names::cluster(&needed("cluster")?)?, names::command(&needed("id")?)?))
            }
            _ => Err(PortError::invalid("view", "fleet, group or command")),
        }
    }

    /// Before the first look at it.
    pub(super) async fn prepare(&self, ports: &Ports) -> Result<(), PortError> {
        match self {
            Self::Command(cluster, id) => ports.control.find_command(cluster, *id).await.map(drop),
            Self::Fleet(_) | Self::Group(..) => Ok(()),
        }
    }

    pub(super) fn read(&self, ports: &Ports) -> Result<Seen, PortError> {
        // Read before the view: a view that is newer is sent again, one that is older never is.
        let version = ports.fleet.version();
        let view = match self {
            Self::Fleet(query) => View::Fleet(ports.fleet.fleet(query)?),
            Self::Group(cluster, group) => View::Group(Box::new(ports.fleet.group(cluster, group)?)),
            Self::Command(cluster, id) => View::Command(Box::new(ports.control.command(cluster, *id)?)),
        };
        let version = match &view {
            View::Fleet(view) => view.version(),
            View::Group(view) => view.version(),
            View::Command(_) => version,
        };
        Ok(Seen { version, view })
    }
}

impl Seen {
    /// Nothing differs but the clock and the version: a reader would see no change.
    pub(super) fn shows_the_same(&self, other: &Self) -> bool {
        match (&self.view, &other.view) {
            (View::Fleet(a), View::Fleet(b)) => still_fleet(a) == still_fleet(b),
            (View::Group(a), View::Group(b)) => still_group(a) == still_group(b),
            (View::Command(a), View::Command(b)) => still_command(a) == still_command(b),
            _ => false,
        }
    }

    pub(super) fn snapshot(&self) -> Event {
        let event = Event::default().event("snapshot").id(self.version.to_string());
        match &self.view {
            View::Fleet(view) => event.json_data(view),
            View::Group(view) => event.json_data(view),
            View::Command(view) => event.json_data(view),
        }
        .unwrap_or_default()
    }

    /// From `old` to this. A command is small and has no rows: always whole.
    pub(super) fn delta(&self, old: &Self) -> Event {
        let event = Event::default().event("delta").id(self.version.to_string());
        match (&old.view, &self.view) {
            (View::Fleet(old), View::Fleet(new)) => event.json_data(live::diff(old, new)).unwrap_or_default(),
            (View::Group(old), View::Group(new)) => {
                event.json_data(live::diff::<GroupView>(old, new)).unwrap_or_default()
            }
            _ => self.snapshot(),
        }
    }
}

const NO_VERSION: Version = Version { epoch: 0, n: 0 };

fn still() -> Timestamp {
    Timestamp::from_millis(0)
}

fn still_fleet(view: &FleetView) -> FleetView {
    FleetView { now: still(), version: NO_VERSION, ..view.clone() }
}

fn still_group(view: &GroupView) -> GroupView {
    let commands = view.commands.iter().map(still_command).collect();
    GroupView { now: still(), version: NO_VERSION, commands, ..view.clone() }
}

fn still_command(view: &CommandView) -> CommandView {
    CommandView { now: still(), ..view.clone() }
}
