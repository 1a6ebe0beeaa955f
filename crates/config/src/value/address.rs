//! Ports, endpoints and URLs (CFG-117, CFG-118, CFG-131).

use super::{Read, Wrong, integer};
use crate::python::repr::py_repr;

/// A port number of a server or a socket (CFG-118).
pub(crate) fn port(text: &str) -> Read<u16> {
    let number = integer(text)?;
    match u16::try_from(number) {
        Ok(0) => Err(format!("{number} is below lower bound (1)").into()),
        Ok(port) => Ok(port),
        Err(_) if number < 1 => Err(format!("{number} is below lower bound (1)").into()),
        Err(_) => Err(format!("{number} is above upper bound (65535)").into()),
    }
}

/// `port=` of an inet server: host, lower-case and empty for all interfaces, and port (CFG-117, CFG-118).
pub(crate) fn inet_address(text: &str) -> Read<(String, u16)> {
    let Some((host, port_text)) = text.rsplit_once(':') else {
        let port = port(text).map_err(|_| {
            Wrong::new(
                format!("not a valid port number: {} ", py_repr(text)),
                "write HOST:PORT, such as 127.0.0.1:9001",
            )
        })?;
        return Ok((String::new(), port));
    };
    if port_text.is_empty() {
        return Err("no port number specified in ''".to_owned().into());
    }
    let port = port(port_text)?;
    let host = host.to_lowercase();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    Ok((if host == "*" { String::new() } else { host.to_owned() }, port))
}

/// Whether `-s` of the client looks like a URL (CFG-131).
pub(crate) fn url(text: &str) -> Read<String> {
    let wrong = || Wrong::from(format!("value {} is not a URL", py_repr(text)));
    let (scheme, rest) = text.split_once(':').ok_or_else(wrong)?;
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split(['?', '#', ';']).next().unwrap_or("");
    if named && !path.is_empty() { Ok(text.to_owned()) } else { Err(wrong()) }
}
