//! The cookie that holds a session.
//!
//! Must never be readable by scripts, nor be sent along from other sites' forms.
//! Tests: below, `tests/people.rs`.

use flowdeck::connections::SecretText;
use http::{HeaderMap, HeaderValue, header};

use super::site::Site;

/// How long a browser keeps it, in seconds; the server ends sessions by itself.
const KEPT_S: u32 = 7 * 24 * 3_600;

/// The session that a browser sent. More than one cookie of the name is none: another site on this host put one there.
pub(super) fn session(headers: &HeaderMap, site: &Site) -> Option<SecretText> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        for pair in line.to_str().ok()?.split(';') {
            if let Some((name, value)) = pair.trim().split_once('=')
                && name == site.cookie()
            {
                if found.is_some() {
                    return None;
                }
                found = Some(SecretText::new(value));
            }
        }
    }
    found
}

/// Takes sessions out of the cookies of a request that goes to somebody else: a flow may read the others.
pub(crate) fn take_out(headers: &mut HeaderMap, site: &Site) {
    let lines: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    headers.remove(header::COOKIE);
    for line in lines {
        // What cannot be read may hold anything.
        let Ok(text) = line.to_str() else { continue };
        let is_other = |pair: &&str| pair.split('=').next().is_some_and(|name| name.trim() != site.cookie());
        let others: Vec<&str> = text.split(';').filter(is_other).map(str::trim).collect();
        if let (false, Ok(kept)) = (others.is_empty(), HeaderValue::try_from(others.join("; "))) {
            headers.append(header::COOKIE, kept);
        }
    }
}

/// `Set-Cookie` of a new session, or of none.
pub(super) fn set(site: &Site, session: Option<&SecretText>) -> HeaderValue {
    let (value, age) = session.map_or(("", 0), |session| (session.expose(), KEPT_S));
    let secure = if site.is_secure() { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}", site.cookie());
    let mut header = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(public: Option<&str>) -> Site {
        Site::new("127.0.0.1:8918".parse().unwrap(), public).unwrap()
    }

    #[test]
    fn a_cookie_is_as_strict_as_the_address_allows() {
        let session = SecretText::new("abc");
        let plain = set(&site(None), Some(&session));
        assert_eq!(plain, "flowdeck-8918=abc; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax");
        let secure = set(&site(Some("https://flows.example.com")), Some(&session));
        assert_eq!(secure, "__Host-flowdeck=abc; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure");
        assert!(set(&site(None), None).to_str().unwrap().contains("=; Path=/; Max-Age=0;"));
        assert!(!format!("{plain:?}").contains("abc"));
    }

    #[test]
    fn a_session_is_taken_out_and_other_cookies_stay() {
        let left = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_static(line));
            }
            take_out(&mut headers, &site(None));
            let left = headers.get_all(header::COOKIE).iter().map(|line| line.to_str().unwrap().to_owned());
            left.collect::<Vec<_>>()
        };
        assert_eq!(left(&["a=b; flowdeck-8918=x; c=d", "flowdeck-8918=y"]), ["a=b; c=d"]);
        assert_eq!(left(&["flowdeck-8918 =x;flowdeck-8918"]), [""; 0]);
        assert_eq!(left(&["a=b"]), ["a=b"]);
    }

    #[test]
    fn one_cookie_of_the_name_is_read_and_two_are_none() {
        let read = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_static(line));
            }
            session(&headers, &site(None)).map(|found| found.expose().to_owned())
        };
        assert_eq!(read(&["a=b; flowdeck-8918=x; c"]).as_deref(), Some("x"));
        assert_eq!(read(&["a=b", "flowdeck-8918=x"]).as_deref(), Some("x"));
        for none in [&[][..], &["a=b"], &["flowdeck=x"], &["flowdeck-8918=x; flowdeck-8918=y"]] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }
}
