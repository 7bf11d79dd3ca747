//! Who asks: the client's address, the actor, and the ports bound to him. Handlers get ports from
//! here and from nowhere else.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use flowdeck_model::{Ports, Via};
use http::HeaderMap;
use http::request::Parts;

use crate::api::problem::Problem;
use crate::auth::{Asked, Auth, Ended, Known, Refusal, Touch};
use crate::config::Cidr;
use crate::events;
use crate::pages::login;
use crate::state::AppState;

/// Tells who a request comes from, and whether a stream that was opened for an actor may go on.
/// [`Auth`] is Flowdeck's own; a program that mounts Flowdeck may bring one that knows its users.
#[async_trait]
pub trait Doorkeeper: Send + Sync {
    async fn who(&self, asked: Asked<'_>) -> Result<Known, Refusal>;

    /// Asked every 15 s of an open stream.
    async fn still_valid(&self, known: &Known) -> Result<(), Ended>;

    /// Flowdeck's own log-in pages, where there are any.
    fn sign_in(&self) -> Option<&Auth> {
        None
    }
}

#[async_trait]
impl Doorkeeper for Auth {
    async fn who(&self, asked: Asked<'_>) -> Result<Known, Refusal> {
        Auth::who(self, asked).await
    }

    async fn still_valid(&self, known: &Known) -> Result<(), Ended> {
        Auth::still_valid(self, &known.ticket).await
    }

    fn sign_in(&self) -> Option<&Auth> {
        self.has_sign_in().then_some(self)
    }
}

/// The address of the client, past trusted proxies; `None` where the host program does not tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

pub(crate) async fn client_address(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
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

/// Who asks, and his ports.
pub(crate) struct Entered {
    pub(crate) known: Known,
    pub(crate) ports: Ports,
}

pub(crate) async fn enter(
    state: &AppState,
    parts: &Parts,
    via: Via,
    touch: Touch,
) -> Result<Entered, Refusal> {
    let address = parts.extensions.get::<ClientAddress>().and_then(|address| address.0);
    let asked = Asked { headers: &parts.headers, extensions: &parts.extensions, via, address, touch };
    let known = state.options.door.who(asked).await?;
    Ok(Entered { ports: state.bind.bind(known.actor.clone()), known })
}

/// The ports of an API call.
pub(crate) struct ApiPorts(pub(crate) Ports);

impl FromRequestParts<AppState> for ApiPorts {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(enter(state, parts, Via::Api, Touch::Yes).await?.ports))
    }
}

/// The ports of a form, with the frame of the page that answers it. Nobody goes to the log-in.
pub(crate) struct FormPorts(pub(crate) Entered);

impl FromRequestParts<AppState> for FormPorts {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        match enter(state, parts, Via::Page, Touch::Yes).await {
            Ok(entered) => Ok(Self(entered)),
            Err(refusal) => Err(login::refuse(state, parts, refusal)),
        }
    }
}

/// The ports of a stream, which keeps no session alive.
pub(crate) struct StreamPorts(pub(crate) Entered);

impl FromRequestParts<AppState> for StreamPorts {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let entered = enter(state, parts, Via::Page, Touch::No).await;
        entered.map(Self).map_err(|refusal| events::nobody(&parts.headers, refusal))
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
