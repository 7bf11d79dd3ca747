//! The chart of a group's history. The server draws it, for pages and for the browser that asks for a newer one: what
//! the browser downloads knows only how to show it and how to read a value off it.

#[cfg(feature = "ssr")]
mod axis;
#[cfg(feature = "ssr")]
mod draw;
#[cfg(feature = "ssr")]
mod events;
#[cfg(feature = "ssr")]
mod line;
#[cfg(feature = "ssr")]
mod table;
#[cfg(feature = "ssr")]
mod words;
#[cfg(feature = "ssr")]
mod zone;

#[cfg(feature = "ssr")]
pub(crate) use draw::draw;
#[cfg(feature = "ssr")]
pub(crate) use zone::Zone;

use flowdeck_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Thousandths of a chart's width.
pub(crate) type Across = u16;
pub(crate) const WIDTH: Across = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Chart {
    pub from: Timestamp,
    pub to: Timestamp,
    /// In which its times are written, in minutes east of UTC.
    pub utc_offset: i32,
    /// The SVG element: markup that was made and escaped by the server, as is `below`.
    pub picture: String,
    /// What happened, and the table where one was asked for.
    pub below: String,
    /// In a sentence.
    pub summary: String,
    /// Where a value can be read: how far across, when (seconds since 1970), and what there is, oldest first.
    pub readings: Vec<(Across, u32, String)>,
}
