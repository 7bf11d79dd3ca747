//! The codec from outside: golden vectors, Flowdeck's own bytes, properties.

mod audit;
mod bulk;
mod kafkaflow;
mod look;
mod produce;
mod properties;
mod redrive;
mod retention;
mod samples;
mod support;
mod wire;
