//! Private targets that an operator or an app's file opens on purpose.
//!
//! A name never opens link-local, metadata or reserved addresses: only an address or a network does, so that a name
//! which starts to resolve elsewhere opens nothing new. Tests: at the end of this file.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use crate::address::{self, Verdict};

/// One private target: a host name, an address or a network, with an optional port.
///
/// Text forms: `localhost:8917`, `intranet.example`, `127.0.0.1`, `10.0.0.0/8`, `10.1.0.0/16:8443`, `[::1]:80`,
/// `fd00::/8`, `[fd00::/8]:443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllowedTarget {
    host: Pattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Pattern {
    Name(String),
    Net { base: IpAddr, prefix_bits: u8 },
}

/// The private targets of one request: cheap to clone, empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AllowedHosts(Arc<[AllowedTarget]>);

impl AllowedHosts {
    /// No private target.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The targets in this list.
    pub fn iter(&self) -> impl Iterator<Item = &AllowedTarget> {
        self.0.iter()
    }
}

impl FromIterator<AllowedTarget> for AllowedHosts {
    fn from_iter<T: IntoIterator<Item = AllowedTarget>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// A text that names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the allowed target {text:?}: {why}")]
pub struct InvalidAllowedTarget {
    text: String,
    why: &'static str,
}

impl AllowedTarget {
    /// Whether this opens `address`, reached under `host` (lower case, no trailing dot, no brackets) and `port`.
    pub(crate) fn opens(&self, host: &str, port: u16, address: IpAddr) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match &self.host {
            Pattern::Name(name) => name == host && address::verdict(address).opened_by_name(),
            Pattern::Net { base, prefix_bits } => contains(*base, *prefix_bits, address::unmapped(address)),
        }
    }

    /// Whether this could open some address of the name `host`: if nothing can, the name need not be resolved.
    pub(crate) fn may_open_name(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|only| only == port)
            && match &self.host {
                Pattern::Name(name) => name == host,
                Pattern::Net { .. } => true,
            }
    }
}

impl Verdict {
    fn opened_by_name(self) -> bool {
        match self {
            Self::Public => true,
            Self::Refused(kind) => kind.is_inside_network(),
        }
    }
}

fn contains(base: IpAddr, prefix_bits: u8, address: IpAddr) -> bool {
    let differs = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => u128::from(base.to_bits() ^ address.to_bits()) << 96,
        (IpAddr::V6(base), IpAddr::V6(address)) => base.to_bits() ^ address.to_bits(),
        _ => return false,
    };
    u32::from(prefix_bits) <= differs.leading_zeros()
}

impl FromStr for AllowedTarget {
    type Err = InvalidAllowedTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |why| InvalidAllowedTarget { text: text.to_owned(), why };
        let (host, port) = split_port(text).map_err(fail)?;
        let host = match host.split_once('/') {
            Some((base, prefix)) => network(base, prefix).map_err(fail)?,
            None => match host.parse::<IpAddr>() {
                Ok(base) => whole(address::unmapped(base)),
                Err(_) => name(host).map_err(fail)?,
            },
        };
        Ok(Self { host, port })
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let port = |text: &str| match text.parse() {
        Ok(0) | Err(_) => Err("the port must be 1 to 65535"),
        Ok(port) => Ok(Some(port)),
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("the bracket is not closed")?;
        return match rest.strip_prefix(':') {
            Some(text) => Ok((host, port(text)?)),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("after the bracket only a port can follow"),
        };
    }
    match text.split_once(':') {
        Some((host, rest)) if !rest.contains(':') => Ok((host, port(rest)?)),
        _ => Ok((text, None)),
    }
}

fn whole(base: IpAddr) -> Pattern {
    Pattern::Net { base, prefix_bits: if base.is_ipv4() { 32 } else { 128 } }
}

fn network(base: &str, prefix: &str) -> Result<Pattern, &'static str> {
    let base: IpAddr = base.parse().map_err(|_| "before the slash must stand an address")?;
    let bits_max = if base.is_ipv4() { 32 } else { 128 };
    match prefix.parse::<u8>() {
        Ok(prefix_bits) if prefix_bits <= bits_max => Ok(Pattern::Net { base, prefix_bits }),
        _ => Err("the prefix length does not fit the address"),
    }
}

fn name(host: &str) -> Result<Pattern, &'static str> {
    // The URL parser decides what a host is, so that both sides compare the same normal form.
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.contains(['/', '@', ':', '?', '#', '\\', '*']) || host.is_empty() {
        return Err("write a host name, an address or a network");
    }
    let url = url::Url::parse(&format!("http://{host}/")).map_err(|_| "this is not a host name")?;
    match url.host() {
        Some(url::Host::Domain(name)) => Ok(Pattern::Name(name.to_owned())),
        Some(url::Host::Ipv4(base)) => Ok(whole(base.into())),
        _ => Err("this is not a host name"),
    }
}

impl fmt::Display for AllowedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match &self.host {
            Pattern::Name(name) => name.clone(),
            Pattern::Net { base, prefix_bits } if base.is_ipv6() => format!("[{base}/{prefix_bits}]"),
            Pattern::Net { base, prefix_bits } => format!("{base}/{prefix_bits}"),
        };
        match self.port {
            Some(port) => write!(f, "{host}:{port}"),
            None => f.write_str(&host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn opens(target: &str, host: &str, port: u16, address: &str) -> bool {
        target.parse::<AllowedTarget>().unwrap().opens(host, port, address.parse().unwrap())
    }

    #[test]
    fn a_target_opens_exactly_what_it_names() {
        let table = [
            ("localhost:8917", "localhost", 8917, "127.0.0.1", true),
            ("localhost:8917", "localhost", 8918, "127.0.0.1", false),
            ("localhost", "localhost", 1, "::1", true),
            ("localhost.", "localhost", 1, "::1", true),
            ("LocalHost", "localhost", 1, "::1", true),
            ("localhost", "other", 1, "127.0.0.1", false),
            ("wiki.corp", "wiki.corp", 443, "10.1.2.3", true),
            ("wiki.corp", "a.wiki.corp", 443, "10.1.2.3", false),
            ("wiki.corp", "wiki.corp", 443, "169.254.169.254", false),
            ("wiki.corp", "wiki.corp", 443, "169.254.1.1", false),
            ("wiki.corp", "wiki.corp", 443, "192.0.2.1", false),
            ("wiki.corp", "wiki.corp", 443, "0.0.0.0", false),
            ("wiki.corp", "wiki.corp", 443, "224.0.0.1", false),
            ("wiki.corp", "wiki.corp", 443, "64:ff9b::a9fe:a9fe", false),
            ("127.0.0.1", "anything", 80, "127.0.0.1", true),
            ("127.0.0.1", "anything", 80, "127.0.0.2", false),
            ("127.0.0.1", "anything", 80, "::ffff:127.0.0.1", true),
            ("127.0.0.1", "anything", 80, "64:ff9b::7f00:1", false),
            ("0x7f.1", "anything", 80, "127.0.0.1", true),
            ("[::ffff:127.0.0.1]:80", "anything", 80, "127.0.0.1", true),
            ("10.0.0.0/8", "x", 80, "10.255.0.1", true),
            ("10.0.0.0/8", "x", 80, "11.0.0.1", false),
            ("10.0.0.0/8:443", "x", 80, "10.0.0.1", false),
            ("10.0.0.0/8:443", "x", 443, "10.0.0.1", true),
            ("0.0.0.0/0", "x", 443, "10.0.0.1", true),
            ("0.0.0.0/0", "x", 443, "fd00::1", false),
            ("[::1]:80", "::1", 80, "::1", true),
            ("[::1]:80", "::1", 81, "::1", false),
            ("::1", "::1", 81, "::1", true),
            ("fd00::/8", "x", 1, "fd12::1", true),
            ("fd00::/8", "x", 1, "fc12::1", false),
            ("[fd00::/8]:443", "x", 443, "fd12::1", true),
            ("169.254.169.254", "x", 80, "169.254.169.254", true),
        ];
        for (target, host, port, address, expected) in table {
            assert_eq!(opens(target, host, port, address), expected, "{target} for {host}:{port} at {address}");
        }
    }

    #[test]
    fn a_text_that_names_no_target_is_refused() {
        for text in [
            "",
            "*",
            "*.corp",
            "10.0.0.0/33",
            "fd00::/129",
            "host:0",
            "host:65536",
            "[::1",
            "[::1]x",
            "a/8",
            "user@host",
            "http://host",
            "10.0.0.0/-1",
            "10.0.0.0/8:",
            "a b",
        ] {
            assert!(text.parse::<AllowedTarget>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_target_prints_as_it_can_be_read_again() {
        for text in ["localhost:8917", "wiki.corp", "127.0.0.1", "10.0.0.0/8:443", "[::1]:80", "fd00::/8"] {
            let target: AllowedTarget = text.parse().unwrap();
            assert_eq!(target.to_string().parse(), Ok(target));
        }
    }
}
