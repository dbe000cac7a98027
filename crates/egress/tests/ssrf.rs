//! Forbidden targets are refused before a socket is opened, whatever their textual form.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flowdeck_egress::{Dial, Egress, EgressError, Exchange, Observer, Policy, Request, Resolve, Sent, parse_url};
use http::Method;
use proptest::prelude::*;

#[derive(Default)]
struct Sockets(AtomicUsize);

impl Observer for Sockets {
    fn connecting(&self, _: &str, _: u16) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn exchanged(&self, _: &Exchange) {}
}

/// Keeps a broken guard on this machine: whatever passes ends at a closed loopback port.
struct Home;

impl Dial for Home {
    fn dial(&self, _: std::net::SocketAddr) -> std::net::SocketAddr {
        (Ipv4Addr::LOCALHOST, 1).into()
    }
}

/// Answers inside addresses for any name.
struct Inside(Vec<IpAddr>);

#[async_trait::async_trait]
impl Resolve for Inside {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(self.0.clone())
    }
}

fn refused(text: &str, answers: Vec<IpAddr>) -> Result<(), String> {
    let url = match parse_url(text) {
        Ok(url) => url,
        Err(_) => return Ok(()),
    };
    let sockets = Arc::new(Sockets::default());
    let observer: Arc<dyn Observer> = sockets.clone();
    let policy = Policy {
        resolver: Arc::new(Inside(answers)),
        observer: Some(observer),
        dial: Some(Arc::new(Home)),
        ..Policy::default()
    };
    let egress = Egress::new(policy).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let error = runtime.block_on(egress.send(Request::new(Method::GET, url))).err();
    let denied = matches!(error, Some(EgressError::Denied { .. }));
    let unsent = error.as_ref().is_some_and(|e| e.was_sent() == Sent::No);
    if denied && unsent && sockets.0.load(Ordering::SeqCst) == 0 { Ok(()) } else { Err(format!("{text}: {error:?}")) }
}

const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "0x7f.0x0.0x0.0x1",
    "127.0.0.1.",
    "00000177.0.0.1",
    "127.000.000.001",
    "0",
    "0.0.0.0",
    "0x0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "0xa000001",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "0300.0250.0.1",
    "3232235521",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.0.1",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "198.18.0.1",
    "198.19.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::8.8.8.8]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::]",
    "[2002:c0a8:1::1]",
    "[2002:a9fe:a9fe::]",
    "[2001::1]",
    "[2001:0:0:0:0:0:80ff:fffe]",
    "[2001:db8::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[3fff::1]",
    "[fc00::1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[fdff:ffff::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[feff::1]",
    "[ff02::1]",
    "[ffff::1]",
    "[100::1]",
    "[4000::1]",
    "[e000::1]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "a.localhost",
    "metadata.google.internal",
    "metadata",
    "instance-data",
    "127.0.0.1.nip.example",
    "inside.example",
    "inside.example.",
    "xn--80ak6aa92e.example",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "ⓛocalhost",
    "127。0。0。1",
    "inside%2eexample",
    "ins%69de.example",
];

#[test]
fn a_list_of_forbidden_targets_opens_no_socket() {
    let inside = || vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let mut count = 0;
    for host in HOSTS {
        for scheme in ["http", "https"] {
            refused(&format!("{scheme}://{host}/"), inside()).unwrap();
            count += 1;
        }
    }
    let more = [
        "http://user@127.0.0.1/",
        "https://user:pass@example.com/",
        "https://example.com@127.0.0.1/",
        "https://127.0.0.1:0/",
        "https://example.com:65536/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://example.com/",
        "data:text/plain,x",
        "unix:/run/x",
        "https:\\\\127.0.0.1\\",
        "https://exa\tmple.com/",
        "https://exa\nmple.com/",
        "//127.0.0.1/",
        "https://",
        "http://example.com/",
        "javascript:alert(1)",
        "https://example.com\\@127.0.0.1/",
        "https://[::1%25lo]/",
        "https://./",
    ];
    for text in more {
        refused(text, inside()).unwrap();
        count += 1;
    }
    assert!(count >= 120, "{count}");
    println!("{count} forbidden targets, 0 sockets");
}

#[test]
fn one_bad_address_among_good_ones_is_enough() {
    let good: IpAddr = "93.184.216.34".parse().unwrap();
    for bad in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1"] {
        let bad: IpAddr = bad.parse().unwrap();
        refused("https://two.example/", vec![good, bad]).unwrap();
        refused("https://two.example/", vec![bad, good]).unwrap();
    }
}

fn forbidden() -> impl Strategy<Value = u32> {
    let range = |base: u32, bits: u32| (0..(1u64 << (32 - bits))).prop_map(move |n| base | u32::try_from(n).unwrap());
    prop_oneof![
        range(0x7f00_0000, 8),
        range(0x0a00_0000, 8),
        range(0xac10_0000, 12),
        range(0xc0a8_0000, 16),
        range(0xa9fe_0000, 16),
        range(0x6440_0000, 10),
        range(0xe000_0000, 4),
        range(0xf000_0000, 4),
        range(0x0000_0000, 8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_forbidden_address_in_any_form_is_refused(bits in forbidden(), form in 0..9usize) {
        let ip = Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = ip.octets();
        let host = match form {
            0 => ip.to_string(),
            1 => bits.to_string(),
            2 => format!("{bits:#x}"),
            3 => format!("0{bits:o}"),
            4 => format!("{a}.{}", bits & 0xff_ffff),
            5 => format!("{a:#x}.0{b:o}.{}", bits & 0xffff),
            6 => format!("[::ffff:{ip}]"),
            7 => format!("[64:ff9b::{:x}:{:x}]", bits >> 16, bits & 0xffff),
            _ => format!("[{}]", Ipv6Addr::new(0x2002, (bits >> 16) as u16, (bits & 0xffff) as u16, 0, 0, 0, c.into(), d.into())),
        };
        prop_assert_eq!(refused(&format!("https://{host}/"), Vec::new()), Ok(()));
    }
}
