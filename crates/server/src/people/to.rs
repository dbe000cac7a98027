//! Where to go after signing in, and the address of the page to sign in that leads there.
//!
//! Must never lead anywhere but to a page of ours: an address is taken whole or not at all.
//! Tests: below, `tests/people_ways.rs`.

/// Where somebody goes who asked for no page.
pub(super) const HOME: &str = "/account";

/// One of our own pages, whatever was asked for.
pub(super) fn own_page(to: &str) -> &str {
    let id = to.strip_prefix("/connect/");
    let names_one = id.is_some_and(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    if names_one || to == "/connect" { to } else { HOME }
}

/// The address of the page to sign in, which leads back; `lost`: what was sent was not taken, and it says so.
pub(super) fn login_link(to: &str, lost: bool) -> String {
    let mut link = "/login".to_owned();
    let page = own_page(to);
    if page != HOME {
        link.push_str(&format!("?to={page}"));
    }
    if lost {
        link.push_str(if page == HOME { "?lost=1" } else { "&lost=1" });
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_are_gone_to() {
        for own in ["/connect/att_0a1b", "/connect"] {
            assert_eq!(own_page(own), own);
            assert_eq!(login_link(own, false), format!("/login?to={own}"));
            assert_eq!(login_link(own, true), format!("/login?to={own}&lost=1"));
        }
        for foreign in [
            "",
            "/",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/connect/",
            "/connect?x",
            "/connect@evil.example",
            "/connect/../x",
            "/connect//evil.example",
            "/connect/a?b",
            "javascript:alert(1)",
            "/connect/a\r\nx",
            " /connect/a",
        ] {
            assert_eq!(own_page(foreign), HOME, "{foreign}");
            assert_eq!(login_link(foreign, false), "/login");
            assert_eq!(login_link(foreign, true), "/login?lost=1");
        }
    }
}
