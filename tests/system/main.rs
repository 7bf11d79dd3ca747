//! The whole: the real program as a process, real services as processes, a real Kafka. Each module has a
//! broker of its own where it stops, kills, secures or counts; nothing here looks inside.

mod acls;
mod audit;
mod away;
mod brokers;
mod bulk;
mod by_stop;
mod canary;
mod commands;
mod exhausted;
mod figures;
mod history;
mod holds;
mod instances;
mod judge;
mod killed;
mod kinds;
mod leaders;
mod locked_up;
mod locking_up;
mod network;
mod observe;
mod offsets;
mod offsets_by_stop;
mod old_releases;
mod prometheus;
mod redrive;
mod registry;
mod replicas;
mod retention;
mod secure;
mod services;
mod simulated;
mod slow_clients;
mod support;
mod unclean;
