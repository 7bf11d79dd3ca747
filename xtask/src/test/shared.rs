//! The broker that the tests share: started when the first test asks for it, so that units never wait for it.
//!
//! The tests' side (`flowdeck-testkit`) connects, reads one line, and goes on: `HOST:PORT`, or `error: …`.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use flowdeck_broker::{Broker, KafkaHome, NodeOptions, stop};

use crate::machine::{self, Need};
use crate::say;

/// The address where tests ask for it. Dropped, it stops the broker.
pub(crate) struct SharedBroker {
    address: String,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SharedBroker {
    /// Listens; the broker's data will be in `dir`.
    pub(crate) fn open(dir: PathBuf) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen for tests that need Kafka")?;
        listener.set_nonblocking(true).context("listen for tests that need Kafka")?;
        let address = listener.local_addr().context("read our own address")?.to_string();
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let thread = std::thread::spawn(move || serve(&listener, &dir, &flag));
        Ok(Self { address, done, thread: Some(thread) })
    }

    /// For `FLOWDECK_TEST_KAFKA`.
    pub(crate) fn env(&self) -> String {
        format!("ask:{}", self.address)
    }
}

impl Drop for SharedBroker {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; the broker's handle was dropped by it.
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, dir: &std::path::Path, done: &AtomicBool) {
    let mut broker: Option<Broker> = None;
    while !done.load(Ordering::Relaxed) && !stop::requested() {
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(stop::TICK);
            continue;
        };
        let line = match &mut broker {
            Some(broker) => broker.bootstrap(),
            none => match start(dir) {
                Ok(started) => none.insert(started).bootstrap(),
                Err(error) => format!("error: {error:#}").replace('\n', " "),
            },
        };
        answer(client, &line);
    }
}

fn start(dir: &std::path::Path) -> Result<Broker> {
    machine::check(&[Need::Kafka])?;
    let home = KafkaHome::resolve(&mut say::step)?;
    let _ = std::fs::remove_dir_all(dir);
    say::step("starting Kafka for the tests");
    Broker::start(&home, dir, &NodeOptions::default())
}

/// A client that went away needs no answer.
fn answer(mut client: TcpStream, line: &str) {
    let _ = client.write_all(format!("{line}\n").as_bytes());
}
