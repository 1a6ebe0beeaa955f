//! The files that are sent as they are.

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its path without a leading slash.
    pub path: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

const ASSETS: &[Asset] = &[
    Asset {
        path: "stylesheets/supervisor.css",
        content_type: "text/css",
        bytes: include_bytes!("../assets/supervisor.css"),
    },
    Asset {
        path: "scripts/status.js",
        content_type: "text/javascript",
        bytes: include_bytes!("../assets/status.js"),
    },
    Asset {
        path: "scripts/tail.js",
        content_type: "text/javascript",
        bytes: include_bytes!("../assets/tail.js"),
    },
    Asset {
        path: "scripts/watch.js",
        content_type: "text/javascript",
        bytes: include_bytes!("../assets/watch.js"),
    },
    Asset {
        path: "images/icon.svg",
        content_type: "image/svg+xml",
        bytes: include_bytes!("../assets/icon.svg"),
    },
    Asset { path: "images/icon.png", content_type: "image/png", bytes: include_bytes!("../assets/icon.png") },
];

/// The file of a path. There is a table and no file system, so no path leads out of it (RPC-218).
#[must_use]
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Whether a path is that of a folder, with its slash at the end or without.
#[must_use]
pub fn is_folder(path: &str) -> bool {
    let name = path.strip_suffix('/').unwrap_or(path);
    ASSETS.iter().any(|asset| asset.path.split_once('/').is_some_and(|(folder, _)| folder == name))
}
