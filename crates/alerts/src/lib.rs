//! Alerts: what Flowdeck says of groups, told to receivers over HTTP or by e-mail when it begins, and again when it is over.
//!
//! A [`Look`] has the findings of one moment; a state for each receiver decides, without a clock of its own, what
//! is to be told; a format writes it; a task for each receiver sends it, and tries again until it is taken. What is not
//! told yet is known by the findings themselves, so there is no queue: what is over before it could be told is not told.
//!
//! Nothing here reads Kafka, and nothing is kept over a restart: what still applies then is told once more.

mod alert;
mod format;
mod mail;
mod pending;
mod post;
mod receiver;
mod run;
mod send;
mod status;

pub use alert::{Alert, ClusterLook, Found, Look, What};
pub use mail::{Login, Mail, MailError, Tls};
pub use receiver::{Channel, Format, Receiver, ReceiverError, Selection, Target};
pub use run::{Alerts, INTERVAL};
pub use send::test;
pub use status::{Figures, Status};
