//! The client's address, the actor of a request, and the ports bound to that actor. Handlers get ports from here and
//! from nowhere else; how a refusal looks, each of them knows: `api::ports`, `pages::ports`, `events::ports`.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use flowdeck_model::{Ports, Via};
use http::HeaderMap;
use http::request::Parts;

use crate::auth::{AuthRequest, Authenticated, KeepAlive, Refusal};
use crate::config::Cidr;
use crate::state::AppState;

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
/// trusted. What an untrusted client put before that is ignored.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut address = peer;
    for before in forwarded.iter().rev() {
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

/// The actor of a request, and the ports bound to it.
pub(crate) struct BoundActor {
    pub(crate) authenticated: Authenticated,
    pub(crate) ports: Ports,
}

/// The only way of a handler to ports.
pub(crate) async fn bind(
    state: &AppState,
    parts: &Parts,
    via: Via,
    keep_alive: KeepAlive,
) -> Result<BoundActor, Refusal> {
    let address = parts.extensions.get::<ClientAddress>().and_then(|address| address.0);
    let request =
        AuthRequest { headers: &parts.headers, extensions: &parts.extensions, via, address, keep_alive };
    let authenticated = state.options.authenticator.authenticate(request).await?;
    Ok(BoundActor { ports: state.bind.bind(authenticated.actor.clone()), authenticated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_count_from_trusted_proxies_only() {
        let trusted: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap()];
        for (peer, forwarded, want) in [
            ("203.0.113.9", "", "203.0.113.9"),
            ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
            ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
            ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
            ("10.0.0.1", "1.2.3.4, 10.0.0.2", "1.2.3.4"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            let found = behind_proxies(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, want.parse::<IpAddr>().unwrap(), "{peer} {forwarded}");
        }
    }
}
