//! The name and password of a server (RPC-031 … RPC-036).

use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::header::{AUTHORIZATION, HeaderMap};
use sha1::{Digest, Sha1};
use subtle::{Choice, ConstantTimeEq};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Begins a password that is given as its SHA-1 in lower-case hex.
const SHA_PREFIX: &str = "{SHA}";

/// Who may use a server. Shows nothing of itself in logs.
#[derive(Clone)]
pub struct Auth {
    username: String,
    password: String,
}

/// What became of a request's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Granted,
    /// None, of another scheme, or wrong ones.
    Refused,
    /// Not base64, or without a colon.
    Malformed,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}

impl Auth {
    /// This user with this password, in clear text or as `{SHA}` and its SHA-1 (CFG-115).
    #[must_use]
    pub fn new(username: String, password: String) -> Self {
        Self { username, password }
    }

    pub(crate) fn check(&self, headers: &HeaderMap) -> Access {
        let Some(header) = headers.get(AUTHORIZATION) else { return Access::Refused };
        let mut parts = header.as_bytes().splitn(2, |&byte| byte == b' ');
        let (scheme, encoded) = (parts.next().unwrap_or_default(), parts.next());
        match encoded {
            Some(encoded) if scheme.eq_ignore_ascii_case(b"basic") => self.check_basic(encoded),
            _ => Access::Refused,
        }
    }

    fn check_basic(&self, encoded: &[u8]) -> Access {
        let Ok(decoded) = BASE64.decode(encoded.trim_ascii()) else { return Access::Malformed };
        let Some(colon) = decoded.iter().position(|&byte| byte == b':') else { return Access::Malformed };
        let (username, password) = (&decoded[..colon], &decoded[colon + 1..]);
        if bool::from(same(username, self.username.as_bytes()) & self.password_is(password)) {
            Access::Granted
        } else {
            Access::Refused
        }
    }

    fn password_is(&self, password: &[u8]) -> Choice {
        match self.password.strip_prefix(SHA_PREFIX) {
            Some(stored) => hex(&Sha1::digest(password)).as_bytes().ct_eq(stored.as_bytes()),
            None => same(password, self.password.as_bytes()),
        }
    }
}

/// Compares digests, so that the time taken tells nothing of contents or length.
fn same(given: &[u8], wanted: &[u8]) -> Choice {
    Sha1::digest(given).as_slice().ct_eq(Sha1::digest(wanted).as_slice())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(auth: &Auth, header: &str) -> Access {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, header.parse().unwrap());
        auth.check(&headers)
    }

    #[test]
    fn credentials_rpc_032_to_035() {
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
        let plain = Auth::new("u".into(), "p:w".into());
        let sha = Auth::new("u".into(), "{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d".into());
        let upper = Auth::new("u".into(), "{SHA}82AB876D1387BFAFE46CC1C8A2EF074EAE50CB1D".into());
        let rows = [
            (&plain, basic("u:p:w"), Access::Granted),
            (&plain, basic("u:p:w").replace("Basic", "bAsIc"), Access::Granted),
            (&plain, basic("u:p:w").replace("Basic", "Digest"), Access::Refused),
            (&plain, basic("u:p:x"), Access::Refused),
            (&plain, basic("u:"), Access::Refused),
            (&plain, basic("U:p:w"), Access::Refused),
            (&plain, "Basic".into(), Access::Refused),
            (&plain, basic("up"), Access::Malformed),
            (&plain, "Basic !!!".into(), Access::Malformed),
            (&sha, basic("u:thepassword"), Access::Granted),
            (&sha, basic("u:82ab876d1387bfafe46cc1c8a2ef074eae50cb1d"), Access::Refused),
            (&upper, basic("u:thepassword"), Access::Refused),
        ];
        for (auth, header, access) in rows {
            assert_eq!(check(auth, &header), access, "{header}");
        }
        assert_eq!(plain.check(&HeaderMap::new()), Access::Refused);
        assert!(!format!("{plain:?}").contains("p:w"));
    }
}
