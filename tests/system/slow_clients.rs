//! Fifty browsers that read nothing from their streams, over a fleet that moves: memory stays flat.

use std::time::{Duration, Instant};

use flowdeck_testkit::{NodeOptions, private};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::figures::{Figures, thirds};
use crate::support::{Server, cluster};

const CLIENTS: usize = 50;
const GROUPS: usize = 200;
/// Buffers fill up to their bounds within it.
const WARM: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(60);
/// Growth within the watched minute that is noise of the allocator.
const GROWTH_MB: u64 = 24;

async fn slow_client(server: &Server) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let head = format!("GET /kafkaflow/events?view=fleet&limit=1000 HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_flat_while_fifty_browsers_read_nothing() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 1).await;
    kafka.produce("orders", 0, (0..10).map(|n| n.to_string())).await;
    // Long names make each event large.
    let padding = "x".repeat(400);
    for group in 0..GROUPS {
        kafka.commit(&format!("readers-{group}-{padding}"), &[("orders", 0, (group % 10) as i64)]);
    }
    // A client is cut off after 5 s, and comes again, as a browser does.
    let limits = "[limits]\nstreams_per_client = 100\nstall_seconds = 5\n";
    let mut server =
        Server::start(&(limits.to_owned() + &cluster("busy", "observe", kafka.bootstrap()))).await;
    server.refreshed("busy").await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(slow_client(&server).await);
    }
    let (begun, mut seen, mut most_open) = (Instant::now(), Vec::new(), 0.0_f64);
    while begun.elapsed() < WARM + WATCHED {
        // Every group's lag changes: each stream has something to say.
        kafka.produce("orders", 0, ["more"]).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        // The one that has waited longest is replaced.
        clients.remove(0);
        clients.push(slow_client(&server).await);
        most_open = most_open.max(server.metric("flowdeck_streams_open").await.unwrap());
        if begun.elapsed() >= WARM {
            seen.push(Figures::of(server.process.pid()).unwrap());
        }
    }
    let (early, late) = thirds(&seen);
    println!(
        "{CLIENTS} slow clients, {GROUPS} groups: {early} MB in the first third, {late} MB in the last; {most_open} streams open at most"
    );
    assert!(most_open >= 40.0, "{most_open} streams: the clients are not there");
    assert!(late <= early + GROWTH_MB, "memory grows: {early} MB, then {late} MB");
    drop(clients);
    server.json_when("/api/v1/groups", "all as before", |fleet| fleet["partial"] == false).await;
    server.assert_sound();
}
