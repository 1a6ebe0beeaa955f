//! Who made a request: one of our own pages, the reader, a program; or a page from somewhere else, which may change
//! nothing (D-17).

/// The headers that tell where a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender<'a> {
    /// `Sec-Fetch-Site`: the browser's own judgement.
    pub fetch_site: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Referer`.
    pub referer: Option<&'a str>,
    /// `Host`.
    pub host: Option<&'a str>,
    /// `X-Forwarded-Host`, by which a proxy tells what the browser called this server. No page can make a browser
    /// send it without asking us first.
    pub forwarded_host: Option<&'a str>,
}

/// What the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A page of this server.
    Ours,
    /// No page: an address that was typed, a bookmark, a program.
    Nobody,
    /// A page from elsewhere.
    Foreign,
}

/// Whether the request may change something; `Some(true)` if a page of ours sent it, `None` if it must be refused.
#[must_use]
pub fn ask_sender(sender: &Sender<'_>) -> Option<bool> {
    match sender.verdict() {
        Verdict::Ours => Some(true),
        Verdict::Nobody => Some(false),
        Verdict::Foreign => None,
    }
}

impl Sender<'_> {
    /// The browser's judgement counts first: it knows the address that it really used, whatever proxies make of it.
    /// Another port of the same host is another site here: who serves it need not be who administers processes.
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.fetch_site, self.origin.or(self.referer)) {
            (Some("same-origin"), _) => Verdict::Ours,
            (Some("none"), _) | (None, None) => Verdict::Nobody,
            (Some(_), _) => Verdict::Foreign,
            (None, Some(from)) if self.is_ours(from) => Verdict::Ours,
            (None, Some(_)) => Verdict::Foreign,
        }
    }

    fn is_ours(&self, url: &str) -> bool {
        let Some((scheme, rest)) = url.split_once("://") else { return false };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return false,
        };
        let bare = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
        let names = [self.host, self.forwarded_host];
        names.iter().flatten().any(|name| !host.is_empty() && bare(name.trim()) == bare(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_from_elsewhere_are_recognised_rpc_206() {
        use Verdict::{Foreign, Nobody, Ours};
        // Sec-Fetch-Site, Origin, Referer.
        let rows = [
            (None, None, None, Nobody),
            (Some("none"), None, None, Nobody),
            (Some("same-origin"), None, None, Ours),
            (Some("same-origin"), Some("https://proxy"), Some("https://proxy/"), Ours),
            (Some("same-site"), None, None, Foreign),
            (Some("cross-site"), None, None, Foreign),
            (Some("cross-site"), Some("http://h:9001"), None, Foreign),
            (Some("what?"), None, None, Foreign),
            (None, Some("http://h:9001"), None, Ours),
            (None, Some("http://H:9001"), Some("http://evil/"), Ours),
            (None, Some("http://h"), None, Foreign),
            (None, Some("http://h:9002"), None, Foreign),
            (None, Some("null"), None, Foreign),
            (None, Some(""), None, Foreign),
            (None, Some("http://"), None, Foreign),
            (None, Some("http://evil"), Some("http://h:9001/"), Foreign),
            (None, None, Some("http://h:9001/index.html"), Ours),
            (None, None, Some("http://h:9001?x"), Ours),
            (None, None, Some("http://h:9001.evil/"), Foreign),
            (None, None, Some("http://h:9001@evil/"), Foreign),
            (None, None, Some("http://evil/?http://h:9001/"), Foreign),
            (None, None, Some("ftp://h:9001/"), Foreign),
            (None, Some("https://public"), None, Ours),
            (None, Some("https://public:443"), None, Ours),
            (None, Some("http://public:443"), None, Foreign),
        ];
        for (fetch_site, origin, referer, verdict) in rows {
            let host = Some("h:9001");
            let sender = Sender { fetch_site, origin, referer, host, forwarded_host: Some("public") };
            assert_eq!(sender.verdict(), verdict, "{sender:?}");
        }
    }

    #[test]
    fn nothing_is_ours_without_a_host() {
        let sender = Sender { origin: Some("http://h"), ..Sender::default() };
        assert_eq!(sender.verdict(), Verdict::Foreign);
    }
}
