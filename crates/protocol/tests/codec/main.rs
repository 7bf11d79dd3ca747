//! The codec from outside: golden vectors, Flowdeck's own bytes, properties.

mod audit;
mod kafkaflow;
mod properties;
mod redrive;
mod samples;
mod support;
mod wire;
