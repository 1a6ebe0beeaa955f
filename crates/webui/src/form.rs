//! Names and values as URLs and forms carry them.

/// What a request says besides its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    query: Vec<(String, String)>,
    body: Vec<(String, String)>,
}

impl Form {
    /// Reads a query and the body of a form. What has no value is as good as absent.
    #[must_use]
    pub fn read(query: &str, body: &[u8]) -> Self {
        Self { query: pairs(query.as_bytes()), body: pairs(body) }
    }

    /// The value of a name: the body's before the query's, the body's last and the query's first, as with Supervisor.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let is_it = |pair: &&(String, String)| pair.0 == name;
        let found = self.body.iter().rfind(is_it).or_else(|| self.query.iter().find(is_it));
        found.map(|(_, value)| value.as_str())
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    let pair = |part: &[u8]| {
        let at = part.iter().position(|&byte| byte == b'=')?;
        Some((unquote(&part[..at]), unquote(&part[at + 1..])))
    };
    text.split(|&byte| byte == b'&').filter_map(pair).filter(|(_, value)| !value.is_empty()).collect()
}

/// Undoes `+` and `%XX`; what is not UTF-8 becomes U+FFFD.
fn unquote(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let pair = if byte == b'%' { tail.get(..2).and_then(hex_pair) } else { None };
        bytes.push(pair.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = if pair.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(pair[0])? << 4 | digit(pair[1])?)
}

/// Text as a part of a URL: everything but letters, digits and `_.-~/` as `%XX`.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            quoted.push_str(&format!("%{byte:02X}"));
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_queries_and_bodies() {
        let form = Form::read("a=1&a=2&b=&c&d=%3C+%e4%b8%ad%2&e=x=y&f=%ff", b"g=1&g=2&e=z&c=");
        let rows = [
            ("a", Some("1")),
            ("b", None),
            ("c", None),
            ("d", Some("< 中%2")),
            ("e", Some("z")),
            ("f", Some("\u{fffd}")),
            ("g", Some("2")),
            ("h", None),
        ];
        for (name, value) in rows {
            assert_eq!(form.get(name), value, "{name}");
        }
    }

    #[test]
    fn quotes_as_supervisor_does_rpc_202_rpc_207() {
        assert_eq!(quote("g:p at 1/2_.-~ 中'\""), "g%3Ap%20at%201/2_.-~%20%E4%B8%AD%27%22");
    }
}
