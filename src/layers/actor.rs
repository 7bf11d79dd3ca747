//! Who asks: the client's address, the actor, and the ports bound to him. Handlers get ports from
//! here and from nowhere else.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use flowdeck_model::{Actor, Ports, Via};
use http::HeaderMap;
use http::request::Parts;

use crate::api::problem::Problem;
use crate::config::Cidr;
use crate::state::AppState;

/// Tells who a request comes from, and whether a stream that was opened for an actor may go on.
pub trait Doorkeeper: Send + Sync {
    /// `None`: nobody that is known; the answer is 401.
    fn actor(&self, request: &Parts, via: Via, address: Option<IpAddr>) -> Option<Actor>;

    /// Asked every 15 s of an open stream; `false` ends it.
    fn still_welcome(&self, actor: &Actor) -> bool;
}

/// Without sign-in: everybody, with all permissions.
pub struct OpenDoor;

impl Doorkeeper for OpenDoor {
    fn actor(&self, _: &Parts, via: Via, address: Option<IpAddr>) -> Option<Actor> {
        Some(Actor::anonymous(via, address.map(|address| address.to_string())))
    }

    fn still_welcome(&self, _: &Actor) -> bool {
        true
    }
}

/// The address of the client, past trusted proxies; `None` where the host program does not tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

pub(crate) async fn client_address(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let address = peer.map(|peer| behind_proxies(peer, request.headers(), &state.options.trusted_proxies));
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

/// Walks `X-Forwarded-For` from its end, where the nearest proxy wrote, as long as who wrote is
/// trusted. What an untrusted client put before that is never believed.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let said: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut address = peer;
    for before in said.iter().rev() {
        if !is_trusted(address) {
            break;
        }
        match before.trim().parse::<IpAddr>() {
            Ok(before) => address = before.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

pub(crate) fn ports(state: &AppState, parts: &Parts, via: Via) -> Result<Ports, Problem> {
    let address = parts.extensions.get::<ClientAddress>().and_then(|address| address.0);
    match state.options.door.actor(parts, via, address) {
        Some(actor) => Ok(state.bind.bind(actor)),
        None => Err(Problem::unauthorized()),
    }
}

/// The ports of an API call.
pub(crate) struct ApiPorts(pub(crate) Ports);

impl FromRequestParts<AppState> for ApiPorts {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        ports(state, parts, Via::Api).map(Self)
    }
}

/// The ports of a page, a form, a stream.
pub(crate) struct PagePorts(pub(crate) Ports);

impl FromRequestParts<AppState> for PagePorts {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        ports(state, parts, Via::Page).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap()];
        for (peer, said, want) in [
            ("203.0.113.9", "", "203.0.113.9"),
            ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
            ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
            ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
            ("10.0.0.1", "1.2.3.4, 10.0.0.2", "1.2.3.4"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", said.parse().unwrap());
            let found = behind_proxies(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, want.parse::<IpAddr>().unwrap(), "{peer} {said}");
        }
    }
}
