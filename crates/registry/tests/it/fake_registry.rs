//! A registry that answers what a test says, and keeps what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_payload::{Choices, Decoded, Part, Schemas, Source, decode};

/// What is answered to a path: a status and a body. `None`: nothing, for as long as the test may last.
pub(crate) type Answer = Option<(u16, String)>;

pub(crate) struct FakeRegistry {
    pub(crate) url: String,
    /// The first line and the headers of each request.
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeRegistry {
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(vec![]));
        let (answer, kept) = (Arc::new(answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || serve(&stream, &*answer, &kept));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, answer: &dyn Fn(&str) -> Answer, kept: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let head: Vec<String> =
            lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let Some(path) = head.first().and_then(|first| first.split(' ').nth(1)) else { return };
        kept.lock().unwrap().push(head.join("\n"));
        let Some((status, body)) = answer(path) else {
            std::thread::sleep(Duration::from_secs(60));
            return;
        };
        let place = if status == 302 { "Location: http://127.0.0.1:1/\r\n" } else { "" };
        let head = format!("HTTP/1.1 {status} x\r\n{place}Content-Length: {}\r\n\r\n", body.len());
        if stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).is_err() {
            return;
        }
    }
}

/// A value as a page shows it, by the decoder of that name.
pub(crate) fn shown(schemas: &dyn Schemas, bytes: &[u8], decoder: &str) -> Decoded {
    let source =
        Source { topic: "orders", part: Part::Value, key: None, headers: &[], schemas: Some(schemas) };
    let decoder = Choices::default().with_registry(true).parse(decoder).expect("a decoder");
    decode(&source, Some(bytes), bytes.len(), &decoder, 1 << 20)
}
