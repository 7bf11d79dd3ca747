//! A TCP proxy in front of a broker and does what networks do: stall, cut, slow down, and forget a
//! connection without a word. Modes are switched while connections are open.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the network does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Pass,
    /// Accepts, and passes nothing on; what was held goes on once it passes again.
    Stall,
    /// Closes what is open and refuses what comes.
    Cut,
    /// So many bytes a second, for each connection and direction.
    Slow(u32),
    /// Connections of this time stay open and are dead for ever: what is sent is taken, nothing comes back, also
    /// not once the network passes again. Only new ones do then.
    HalfOpen,
}

/// Ends with its handle, and with it every connection.
pub struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
    target: watch::Sender<Option<SocketAddr>>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    open: AtomicUsize,
}

const BUFFER: usize = 16 * 1024;
/// A slow network passes a tenth of its bytes each time.
const TENTH: Duration = Duration::from_millis(100);

impl Proxy {
    /// Listens on a free port. Its target may be told later: until then connections wait.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (network, target) = (watch::Sender::new(Network::Pass), watch::Sender::new(None));
        let counts = Arc::<Counts>::default();
        let side =
            Side { network: network.subscribe(), target: target.subscribe(), counts: Arc::clone(&counts) };
        let task = tokio::spawn(run(listener, address, side));
        Self { address, network, target, counts, task }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `HOST:PORT`, for clients.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    pub fn to(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }

    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// Connections that were ever accepted.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a connection knows of its proxy.
#[derive(Clone)]
struct Side {
    network: watch::Receiver<Network>,
    target: watch::Receiver<Option<SocketAddr>>,
    counts: Arc<Counts>,
}

async fn run(mut listener: TcpListener, address: SocketAddr, mut side: Side) {
    let mut connections = JoinSet::new();
    loop {
        if *side.network.borrow_and_update() == Network::Cut {
            drop(listener);
            connections.shutdown().await;
            if side.network.wait_for(|network| *network != Network::Cut).await.is_err() {
                return;
            }
            listener = again(address).await;
        }
        tokio::select! {
            changed = side.network.changed() => if changed.is_err() { return },
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                side.counts.accepted.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, side.clone()));
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// The port was ours a moment ago; somebody's outgoing connection may have it for a while.
async fn again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection(mut client: TcpStream, side: Side) {
    let _open = Open::enter(&side.counts);
    let (mut dead, mut ready) = (side.network.clone(), side.clone());
    let _ = client.set_nodelay(true);
    let mut server = None;
    tokio::select! {
        // Asked first: what is dead stays dead.
        biased;
        _ = dead.wait_for(|network| *network == Network::HalfOpen) => {}
        () = async {
            if let Some(found) = ready.reach().await {
                relay(&mut client, server.insert(found), &side.network).await;
            }
        } => return,
    }
    // The server, too, believes in its connection until the client gives up.
    let mut buffer = vec![0; BUFFER];
    while matches!(client.read(&mut buffer).await, Ok(read) if read > 0) {}
}

impl Side {
    /// The other side, once the network lets it be reached; `None` where it refuses.
    async fn reach(&mut self) -> Option<TcpStream> {
        let target = *self.target.wait_for(Option::is_some).await.ok()?;
        self.network.wait_for(|network| matches!(network, Network::Pass | Network::Slow(_))).await.ok()?;
        let server = TcpStream::connect(target?).await.ok()?;
        let _ = server.set_nodelay(true);
        Some(server)
    }
}

async fn relay(client: &mut TcpStream, server: &mut TcpStream, network: &watch::Receiver<Network>) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    tokio::join!(
        pump(&mut from_client, &mut to_server, network.clone()),
        pump(&mut from_server, &mut to_client, network.clone())
    );
}

/// Until one side closes; an error of one direction ends the other by the closed socket.
async fn pump(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut network: watch::Receiver<Network>,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read) = from.read(&mut buffer).await
        && read > 0
    {
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            let open = network.wait_for(|network| *network != Network::Stall).await.map(|network| *network);
            let most = match open {
                Ok(Network::Slow(bytes)) => (bytes as usize / 10).max(1),
                _ => rest.len(),
            };
            let (now, later) = rest.split_at(most.min(rest.len()));
            if to.write_all(now).await.is_err() {
                return;
            }
            rest = later;
            if matches!(open, Ok(Network::Slow(_))) {
                tokio::time::sleep(TENTH).await;
            }
        }
    }
    let _ = to.shutdown().await;
}

struct Open(Arc<Counts>);

impl Open {
    fn enter(counts: &Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counts))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    use crate::wait::{DEADLINE, wait_for};

    /// What does not come in this time does not come.
    const SOON: Duration = Duration::from_millis(300);

    /// A proxy before a server that gives everything back.
    async fn echo() -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::start().await;
        proxy.to(listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = client.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        proxy
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.bootstrap()).await.unwrap()
    }

    /// Whether four bytes come back; `None`: not in this time.
    async fn answers(stream: &mut TcpStream, within: Duration) -> Option<bool> {
        if stream.write_all(b"ping").await.is_err() {
            return Some(false);
        }
        let mut back = [0; 4];
        let read = tokio::time::timeout(within, stream.read_exact(&mut back)).await.ok()?;
        Some(read.is_ok() && &back == b"ping")
    }

    #[tokio::test]
    async fn a_stall_holds_and_goes_on() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(answers(&mut stream, DEADLINE).await, Some(true));
        proxy.set(Network::Stall);
        assert_eq!(answers(&mut stream, SOON).await, None);
        let mut new = connect(&proxy).await;
        assert_eq!(answers(&mut new, SOON).await, None, "accepted, and nothing comes");
        proxy.set(Network::Pass);
        let mut late = [0; 4];
        for stream in [&mut stream, &mut new] {
            stream.read_exact(&mut late).await.unwrap();
            assert_eq!(answers(stream, DEADLINE).await, Some(true));
        }
        assert_eq!((proxy.accepted(), proxy.open()), (2, 2));
        drop((stream, new));
        wait_for("nothing open", DEADLINE, async || (proxy.open() == 0).then_some(())).await;
    }

    #[tokio::test]
    async fn a_cut_closes_and_refuses_until_it_is_over() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(answers(&mut stream, DEADLINE).await, Some(true));
        proxy.set(Network::Cut);
        wait_for("the refusal", DEADLINE, async || {
            TcpStream::connect(proxy.bootstrap()).await.is_err().then_some(())
        })
        .await;
        assert_ne!(answers(&mut stream, DEADLINE).await, Some(true));
        assert_eq!(proxy.open(), 0);
        proxy.set(Network::Pass);
        let mut stream =
            wait_for("an open port", DEADLINE, async || TcpStream::connect(proxy.bootstrap()).await.ok())
                .await;
        assert_eq!(answers(&mut stream, DEADLINE).await, Some(true));
    }

    #[tokio::test]
    async fn a_half_open_connection_never_answers_again_and_a_new_one_does() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(answers(&mut stream, DEADLINE).await, Some(true));
        proxy.set(Network::HalfOpen);
        assert_eq!(answers(&mut stream, SOON).await, None);
        proxy.set(Network::Pass);
        assert_eq!(answers(&mut stream, SOON).await, None, "it is open and dead");
        assert_eq!(answers(&mut connect(&proxy).await, DEADLINE).await, Some(true));
    }

    #[tokio::test]
    async fn a_slow_network_takes_its_time() {
        let proxy = echo().await;
        proxy.set(Network::Slow(1_000));
        let mut stream = connect(&proxy).await;
        let begun = Instant::now();
        stream.write_all(&[7; 300]).await.unwrap();
        let mut back = [0; 300];
        stream.read_exact(&mut back).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    }
}
