//! Limits on what clients can ask of the server.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Event streams open at once, in all.
    pub streams: usize,
    /// Event streams open at once of one session; at the limit the newest replaces the oldest.
    /// A browser has six connections to a host over HTTP/1.1: one fewer leaves one to ask with.
    pub streams_per_session: usize,
    /// Event streams open at once from one address, of those without a session.
    pub streams_per_client: usize,
    /// Connections open at once.
    pub connections: usize,
    /// Requests being answered at once; more get 503.
    pub requests: usize,
    /// Bytes of a request's body.
    pub body: usize,
    /// Seconds until a request (but a stream) is given up.
    pub request_seconds: u64,
    /// Seconds that a client has to send a request's head, and that it may keep an idle connection.
    pub head_seconds: u64,
    /// Seconds that a client may take no byte of what it is sent.
    pub stall_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 512,
            streams_per_session: 5,
            streams_per_client: 32,
            connections: 2_048,
            requests: 256,
            body: 64 * 1024,
            request_seconds: 30,
            head_seconds: 30,
            stall_seconds: 30,
        }
    }
}
