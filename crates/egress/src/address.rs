//! Decides from an address alone whether it is public.
//!
//! Pure: knows no names, no policy, no sockets. Every new range belongs in this one file and its table.
//! Tests: at the end of this file; whole requests in `tests/ssrf.rs`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What an address is to a caller who trusts only the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A public unicast address.
    Public,
    /// Anything else, by the reason.
    Refused(Kind),
}

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// This machine.
    Loopback,
    /// RFC 1918 and unique local addresses.
    Private,
    /// Shared address space of carriers, RFC 6598.
    CarrierNat,
    /// Benchmark networks, RFC 2544 and RFC 5180.
    Benchmark,
    /// Link-local and site-local.
    LinkLocal,
    /// A cloud's instance metadata or host agent.
    Metadata,
    /// Multicast.
    Multicast,
    /// The unspecified address and its network, which many systems route to themselves.
    Unspecified,
    /// Documentation, protocol assignments, broadcast, future use, or unallocated.
    Reserved,
}

impl Kind {
    /// Whether a host name may be allowed to lead there. The others need the address itself to be allowed.
    pub(crate) fn is_inside_network(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::CarrierNat | Self::Benchmark)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::CarrierNat => "carrier-internal",
            Self::Benchmark => "benchmark",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
            Self::Reserved => "reserved",
        })
    }
}

/// Whether `address`, or the IPv4 address that it carries inside, is public.
#[must_use]
pub fn verdict(address: IpAddr) -> Verdict {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

/// Whether only somebody's allowance opens it.
pub(crate) fn is_inside(address: IpAddr) -> bool {
    verdict(address) != Verdict::Public
}

/// The IPv4 address of an IPv4-mapped one, since the system connects to just that.
pub(crate) fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Metadata services at addresses that are otherwise private, link-local or even public.
const METADATA_V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
];

/// IANA's IPv4 special-purpose registry.
fn v4(address: Ipv4Addr) -> Verdict {
    if METADATA_V4.contains(&address) {
        return Verdict::Refused(Kind::Metadata);
    }
    Verdict::Refused(match address.octets() {
        [0, ..] => Kind::Unspecified,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private,
        [100, 64..=127, ..] => Kind::CarrierNat,
        [127, ..] => Kind::Loopback,
        [169, 254, ..] => Kind::LinkLocal,
        [198, 18 | 19, ..] => Kind::Benchmark,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Reserved,
        [224..=239, ..] => Kind::Multicast,
        [240..=255, ..] => Kind::Reserved,
        _ => return Verdict::Public,
    })
}

/// IANA's IPv6 special-purpose registry; forms that carry an IPv4 address are judged by it.
fn v6(address: Ipv6Addr) -> Verdict {
    if METADATA_V6.contains(&address) {
        return Verdict::Refused(Kind::Metadata);
    }
    let carried = |high: u16, low: u16| v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    Verdict::Refused(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        [0, 0, 0, 0, 0, 0xffff, high, low] => return carried(high, low),
        // IPv4-compatible, with the unspecified address among them, and IPv4-translated (RFC 4291 2.5.5.1, RFC 2765):
        // nobody uses them honestly any more.
        [0, 0, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => refused(carried(high, low)),
        // NAT64 with the well-known prefix (RFC 6052): what DNS64 answers on IPv6-only networks.
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => return carried(high, low),
        [0x0064, 0xff9b, 1, ..] => Kind::Private,
        // Teredo (RFC 4380): the client's address is stored inverted.
        [0x2001, 0, _, _, _, _, high, low] => refused(carried(!high, !low)),
        [0x2001, 2, 0, ..] => Kind::Benchmark,
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Kind::Reserved,
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => return carried(high, low),
        [0xfc00..=0xfdff, ..] => Kind::Private,
        [0xfe80..=0xfeff, ..] => Kind::LinkLocal,
        [0xff00..=0xffff, ..] => Kind::Multicast,
        [0x2000..=0x3fff, ..] => return Verdict::Public,
        _ => Kind::Reserved,
    })
}

/// A retired form stays refused even if the address inside is public.
fn refused(carried: Verdict) -> Kind {
    match carried {
        Verdict::Refused(kind) => kind,
        Verdict::Public => Kind::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: Verdict, addresses: &[&str]) {
        for text in addresses {
            assert_eq!(verdict(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn each_range_is_refused_from_its_first_to_its_last_address() {
        use Kind as K;
        let table: [(K, &[&str]); 9] = [
            (
                K::Loopback,
                &["127.0.0.0", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1"],
            ),
            (K::Loopback, &["64:ff9b::127.0.0.1", "2002:7f00:1::", "2001:0:1:2:3:4:80ff:fffe"]),
            (
                K::Private,
                &[
                    "10.0.0.0",
                    "10.255.255.255",
                    "172.16.0.0",
                    "172.31.255.255",
                    "192.168.0.0",
                    "192.168.255.255",
                    "fc00::",
                    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                    "64:ff9b:1::",
                    "2002:c0a8:1::1",
                ],
            ),
            (K::CarrierNat, &["100.64.0.0", "100.127.255.255"]),
            (K::Benchmark, &["198.18.0.0", "198.19.255.255", "2001:2::1"]),
            (K::LinkLocal, &["169.254.0.0", "169.254.255.255", "fe80::", "febf::1", "fec0::", "feff::1"]),
            (
                K::Metadata,
                &[
                    "169.254.169.254",
                    "169.254.170.2",
                    "100.100.100.200",
                    "192.0.0.192",
                    "168.63.129.16",
                    "fd00:ec2::254",
                    "fd00:ec2::23",
                    "fd20:ce::254",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                    "2002:a9fe:a9fe::",
                ],
            ),
            (K::Multicast, &["224.0.0.0", "239.255.255.255", "ff00::", "ffff::"]),
            (K::Unspecified, &["0.0.0.0", "0.255.255.255", "::", "::ffff:0.0.0.0"]),
        ];
        for (kind, addresses) in table {
            check(Verdict::Refused(kind), addresses);
        }
        check(
            Verdict::Refused(K::Reserved),
            &[
                "192.0.0.1",
                "192.0.2.0",
                "192.88.99.1",
                "198.51.100.7",
                "203.0.113.255",
                "240.0.0.0",
                "255.255.255.255",
                "::8.8.8.8",
                "::ffff:0:8.8.8.8",
                "100::1",
                "2001:db8::1",
                "2001:10::1",
                "2001:1ff::",
                "3fff::1",
                "4000::",
                "5f00::1",
                "8000::",
                "2001:0:1:2:3:4:f7f7:f7f7",
            ],
        );
    }

    #[test]
    fn the_neighbours_of_each_range_are_public() {
        check(
            Verdict::Public,
            &[
                "1.0.0.0",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.0",
                "192.0.3.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "168.63.129.17",
                "2001:200::",
                "2001:4860:4860::8888",
                "2606:4700::1111",
                "2000::1",
                "3ffe::1",
                "::ffff:8.8.8.8",
                "64:ff9b::8.8.8.8",
                "2002:808:808::1",
            ],
        );
    }
}
