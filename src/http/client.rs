//! Where a request comes from: the connection's other end, or whom a trusted proxy names.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, request::Parts};
use ipnet::IpNet;

use super::App;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection, in the extensions of every request that came over one.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl App {
    /// The address of whoever asks, where the request came over a connection.
    pub fn client(&self, Parts { extensions, headers, .. }: &Parts) -> Option<IpAddr> {
        extensions.get::<Peer>().map(|peer| client(*peer, headers, &self.settings.trusted_proxies))
    }
}

/// The last address of `X-Forwarded-For` that is none of the trusted proxies', as long as what names it is one of them:
/// whatever stands before it, anybody could have written.
fn client(Peer(peer): Peer, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer.ip().to_canonical();
    let named = headers.get_all(FORWARDED_FOR).iter().rev();
    let named = named.filter_map(|value| value.to_str().ok()).flat_map(|list| list.rsplit(','));
    for address in named {
        if !is_trusted(client) {
            break;
        }
        match address.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()].into();
        for (peer, forwarded, expected) in [
            ("192.0.2.1:9", "", "192.0.2.1"),
            ("192.0.2.1:9", "198.51.100.1", "192.0.2.1"),
            ("10.0.0.1:9", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1:9", "203.0.113.5, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
            ("[::ffff:10.0.0.1]:9", "198.51.100.1", "198.51.100.1"),
            ("[::1]:9", "unknown", "::1"),
            ("10.0.0.1:9", "10.0.0.3", "10.0.0.3"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            let found = client(Peer(peer.parse().unwrap()), &headers, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded}");
        }
    }
}
