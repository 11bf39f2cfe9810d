//! `/docs`: one page that reads `/openapi.json`. Its script is our own and from here; nothing
//! inline, nothing from elsewhere.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};

use super::reply::Reply;

const PAGE: &str = include_str!("docs/index.html");
const SCRIPT: &str = include_str!("docs/docs.js");
const STYLE: &str = include_str!("docs/docs.css");

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// `GET /docs`.
pub(super) fn page() -> Reply {
    Reply::text("text/html; charset=utf-8", PAGE)
        .header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))
}

/// `GET /docs/docs.js`.
pub(super) fn script() -> Reply {
    Reply::text("text/javascript; charset=utf-8", SCRIPT)
}

/// `GET /docs/docs.css`.
pub(super) fn style() -> Reply {
    Reply::text("text/css; charset=utf-8", STYLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
        for forbidden in ["http:", "https:", "//", "<style", "style=", "onclick", "javascript:"] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
        assert_eq!(PAGE.matches("<script").count(), 1);
        assert!(PAGE.contains("<script src=\"/docs/docs.js\" defer></script>"));
        assert!(!SCRIPT.contains("innerHTML"), "texts are set as texts");
    }
}
