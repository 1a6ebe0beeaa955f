//! `environment` values (section 10 of the ledger).

use std::collections::BTreeMap;

use super::{Read, Wrong};
use crate::shlex::{SplitError, tokens};

/// What was made of an `environment` value, and what of it was dropped or taken in an unexpected way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    pub(crate) pairs: BTreeMap<String, String>,
    /// Why the value may not mean what was meant (CFG-224, CFG-227, CFG-228).
    pub(crate) doubt: Option<String>,
}

/// `KEY=value,KEY="other value"` (section 10 of the ledger).
pub(crate) fn pairs(text: &str) -> Read<Pairs> {
    let found = tokens(text).map_err(|error: SplitError| Wrong {
        message: error.to_string(),
        hint: Some("close every quote; \" ;\" and \" #\" begin a comment even inside quotes".to_owned()),
    })?;
    let mut result = Pairs::default();
    if found.comment {
        result.doubt = Some("text after \"#\" is dropped: quote the value".to_owned());
    }
    let mut rest = found.tokens.as_slice();
    while !rest.is_empty() {
        let [key, equals, value, ..] = rest else { return Err(uneven(text)) };
        if equals != "=" {
            return Err(uneven(text));
        }
        result.pairs.insert(key.clone(), value.trim_matches(['\'', '"']).to_owned());
        let separator = rest.get(3).map_or(",", String::as_str);
        if separator != "," && result.doubt.is_none() {
            result.doubt = Some(format!(
                "the value of {key} ends before \"{separator}\", which is dropped: quote the value"
            ));
        }
        rest = rest.get(4..).unwrap_or_default();
    }
    Ok(result)
}

/// CFG-230.
fn uneven(text: &str) -> Wrong {
    Wrong::new(
        format!("Unexpected end of key/value pairs in value '{text}'"),
        "write KEY=\"value\" with commas between, and quote every value that is more than letters and digits",
    )
}
