//! Who is at the other end: what a trusted proxy says of it counts, what anybody else says does not.

use axum::http::HeaderMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The other end of the connection itself.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// Whether the connection is one of TLS that ends here.
    pub secure: bool,
}

/// Addresses that share their first bits, such as `10.0.0.0/8` or `fd00::/8`; a bare address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl FromStr for Network {
    type Err = ();
    fn from_str(text: &str) -> Result<Network, ()> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address = plain(address.trim().parse().map_err(|_| ())?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().map_err(|_| ())?,
            Some(_) => return Err(()),
        };
        if bits > most { Err(()) } else { Ok(Network { address, bits }) }
    }
}

impl Network {
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, plain(address)) {
            (IpAddr::V4(net), IpAddr::V4(one)) => same(u128::from(net.to_bits()), u128::from(one.to_bits()), 32 - u32::from(self.bits)),
            (IpAddr::V6(net), IpAddr::V6(one)) => same(net.to_bits(), one.to_bits(), 128 - u32::from(self.bits)),
            _ => false,
        }
    }
}

fn same(a: u128, b: u128, without: u32) -> bool {
    without >= 128 || a >> without == b >> without
}

/// An IPv4 address that came as IPv6 is one of IPv4.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        four => four,
    }
}

/// Which headers the trusted proxies set; the other ones come from strangers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedBy {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The client behind the proxies, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// Whether everything it sends travels over TLS, to us or to the first trusted proxy.
    pub secure: bool,
    /// Whether it is on this machine and no proxy stands between.
    pub local: bool,
}

impl Client {
    pub fn of(peer: Peer, headers: &HeaderMap, trusted: &[Network], by: ForwardedBy) -> Client {
        let near = plain(peer.address.ip());
        let direct = Client { address: near, secure: peer.secure, local: near.is_loopback() };
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
        if !is_trusted(near) {
            return direct;
        }
        let hops = match by {
            ForwardedBy::XForwarded => x_forwarded(headers),
            ForwardedBy::Forwarded => forwarded(headers),
        };
        // A proxy that says nothing, such as its own check of our health, speaks for itself.
        let Some((_, proto)) = hops.last() else { return direct };
        let secure = peer.secure || proto.as_deref() == Some("https");
        // From the nearest hop outwards: the first that is no proxy of ours, or that cannot be read, is the client.
        let mut address = near;
        for (hop, _) in hops.iter().rev() {
            match hop {
                Some(hop) => address = *hop,
                None => break,
            }
            if !is_trusted(address) {
                break;
            }
        }
        Client { address, secure, local: false }
    }

    /// One client for the limits: an IPv6 subscriber has a whole /64.
    pub fn limited(&self) -> IpAddr {
        match self.address {
            IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
            four => four,
        }
    }
}

type Hop = (Option<IpAddr>, Option<String>);

fn lines(headers: &HeaderMap, name: &str) -> String {
    let all: Vec<&str> = headers.get_all(name).iter().map(|v| v.to_str().unwrap_or("?")).collect();
    all.join(",")
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let (hops, protos) = (lines(headers, "x-forwarded-for"), lines(headers, "x-forwarded-proto"));
    let proto = protos.rsplit(',').next().map(|p| p.trim().to_ascii_lowercase()).filter(|p| !p.is_empty());
    if hops.is_empty() && proto.is_none() {
        return Vec::new();
    }
    let mut hops: Vec<Hop> = hops.split(',').map(|hop| (node(hop), None)).collect();
    if let Some(last) = hops.last_mut() {
        last.1 = proto;
    }
    hops
}

fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let text = lines(headers, "forwarded");
    if text.is_empty() {
        return Vec::new();
    }
    let hop = |element: &str| {
        let mut hop: Hop = (None, None);
        for pair in element.split(';') {
            match pair.split_once('=').map(|(k, v)| (k.trim().to_ascii_lowercase(), v.trim().trim_matches('"'))) {
                Some((key, value)) if key == "for" => hop.0 = node(value),
                Some((key, value)) if key == "proto" => hop.1 = Some(value.to_ascii_lowercase()),
                _ => {}
            }
        }
        hop
    };
    text.split(',').map(hop).collect()
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip())).or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    address.map(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, trusted: &[&str], by: ForwardedBy, given: &[(&'static str, &str)]) -> Client {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        Client::of(Peer { address: format!("{peer}:1").parse().unwrap(), secure: false }, &headers, &trusted, by)
    }

    #[test]
    fn networks_are_read_strictly_and_hold_their_addresses() {
        for wrong in ["", "10", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "fd00::/129", "example.org"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("fd00::/8", "fd12::1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ] {
            assert_eq!(network.parse::<Network>().unwrap().holds(address.parse().unwrap()), holds, "{network} {address}");
        }
    }

    #[test]
    fn what_a_stranger_says_of_itself_does_not_count() {
        let said = [("x-forwarded-for", "192.0.2.9"), ("x-forwarded-proto", "https"), ("forwarded", "for=192.0.2.9;proto=https")];
        for by in [ForwardedBy::XForwarded, ForwardedBy::Forwarded] {
            let found = client("203.0.113.5", &["10.0.0.0/8"], by, &said);
            assert_eq!((found.address.to_string().as_str(), found.secure), ("203.0.113.5", false));
        }
        // Of a trusted proxy's headers, those that it does not set are a stranger's.
        let found = client("10.0.0.1", &["10.0.0.0/8"], ForwardedBy::XForwarded, &[("forwarded", "for=192.0.2.9;proto=https")]);
        assert_eq!((found.address.to_string().as_str(), found.secure), ("10.0.0.1", false));
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_proxy_of_ours() {
        for (value, wanted) in [
            ("192.0.2.9", "192.0.2.9"),
            ("6.6.6.6, 192.0.2.9", "192.0.2.9"),
            ("6.6.6.6, 192.0.2.9, 10.0.0.7", "192.0.2.9"),
            ("192.0.2.9:4711", "192.0.2.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("6.6.6.6, nonsense", "10.0.0.1"),
            ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
        ] {
            let found = client("10.0.0.1", &["10.0.0.0/8"], ForwardedBy::XForwarded, &[("x-forwarded-for", value), ("x-forwarded-proto", "http, https")]);
            assert_eq!((found.address.to_string().as_str(), found.secure), (wanted, true), "{value}");
        }
        let spoofed = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.9")];
        assert_eq!(client("10.0.0.1", &["10.0.0.1"], ForwardedBy::XForwarded, &spoofed).address.to_string(), "192.0.2.9");
        let by = ForwardedBy::Forwarded;
        let found = client("10.0.0.1", &["10.0.0.1"], by, &[("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:80\";proto=https;by=10.0.0.1")]);
        assert_eq!((found.address.to_string().as_str(), found.secure), ("2001:db8::7", true));
        assert_eq!(found.limited().to_string(), "2001:db8::");
    }
}
