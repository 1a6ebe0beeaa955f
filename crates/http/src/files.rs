//! The files that belong to the pages (RPC-217, RPC-218).

use std::time::SystemTime;

use bytes::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, IF_MODIFIED_SINCE, LAST_MODIFIED,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use jiff::fmt::rfc2822;
use upkeep_webui::Asset;

use crate::answer;
use crate::body::Body;
use crate::connection::Connection;
use crate::pages::{server, text};

/// A file, or an answer that it is not newer than what the client has (RPC-217).
pub(crate) fn answer(connection: &Connection, headers: &HeaderMap, path: &str) -> Response<Body> {
    if let Some(asset) = upkeep_webui::asset(path) {
        return asset_answer(connection, headers, asset);
    }
    if !path.ends_with('/') && upkeep_webui::is_folder(path) {
        return answer::moved(&format!("{}/{path}/", server(connection, headers)), |_| {});
    }
    answer::error(StatusCode::NOT_FOUND)
}

/// The files are part of the program, so none can change while it runs.
fn asset_answer(connection: &Connection, headers: &HeaderMap, asset: &'static Asset) -> Response<Body> {
    let since = connection.service.since;
    if text(headers, IF_MODIFIED_SINCE).is_some_and(|known| is_known(since, known)) {
        return answer::begin(StatusCode::NOT_MODIFIED, Body::whole(Bytes::new()));
    }
    let mut response = answer::begin(StatusCode::OK, Body::whole(Bytes::from_static(asset.bytes)));
    answer::set(&mut response, LAST_MODIFIED, &answer::http_date(since));
    answer::set(&mut response, CONTENT_LENGTH, &asset.bytes.len().to_string());
    answer::set(&mut response, CONTENT_TYPE, asset.content_type);
    // After an upgrade the pages want the new files.
    answer::set(&mut response, CACHE_CONTROL, "no-cache");
    answer::set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

/// Whether a copy of this time is new enough. Something may follow the time after a semicolon.
fn is_known(since: SystemTime, time: &str) -> bool {
    let time = time.split(';').next().unwrap_or_default().trim();
    let seconds =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    rfc2822::parse(time).is_ok_and(|known| {
        let known = SystemTime::from(known.timestamp());
        seconds(since) <= seconds(known)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_copies_rpc_217() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_900);
        let rows = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("Sun, 06 Nov 1994 08:49:37 GMT; length=3", true),
            ("Sun, 06 Nov 1994 08:49:36 GMT", false),
            ("Mon, 07 Nov 1994 08:49:36 GMT", true),
            ("yesterday", false),
            ("", false),
        ];
        for (time, known) in rows {
            assert_eq!(is_known(since, time), known, "{time}");
        }
    }
}
