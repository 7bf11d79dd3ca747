//! A receiver of HTTP posts that answers as it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SILENCE: Duration = Duration::from_secs(10);

/// Lives as long as the process of the test.
#[derive(Clone)]
pub struct Hook {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    answer: String,
    posts: Vec<Post>,
}

/// As it came.
#[derive(Clone, Debug)]
pub struct Post {
    /// Without its host.
    pub path: String,
    /// In lower case, with their values.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Post {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl Hook {
    /// It takes everything at first.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its port").port();
        let shared = Arc::new(Mutex::new(Shared { answer: "200 OK".to_owned(), posts: vec![] }));
        let hook = Self { port, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away in the middle has posted nothing.
                let _ = take(stream, &shared);
            }
        });
        hook
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A status with its reason, and further lines of headers: `503 Later\r\nRetry-After: 1`.
    pub fn answers(&self, answer: &str) {
        answer.clone_into(&mut self.shared.lock().unwrap().answer);
    }

    pub fn posts(&self) -> Vec<Post> {
        self.shared.lock().unwrap().posts.clone()
    }
}

fn take(stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = vec![];
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let post = Post { path, headers, body: String::new() };
    let length = post.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let answer = {
        let mut shared = shared.lock().unwrap();
        shared.posts.push(Post { body, ..post });
        shared.answer.clone()
    };
    write!(reader.into_inner(), "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
