//! Exit statuses (section 3 of the ledger's ctl page).

/// Done.
pub(crate) const SUCCESS: i32 = 0;
/// It failed, in a way without a number of its own.
pub(crate) const GENERIC: i32 = 1;
/// `start` without names, or of an unknown group.
pub(crate) const INVALID_ARGS: i32 = 2;
/// The server has no supervisor namespace; also `status` that shows something stopped.
pub(crate) const UNIMPLEMENTED: i32 = 3;
/// `status` shows something stopped.
pub(crate) const STATUS_NOT_RUNNING: i32 = 3;
/// The connection was refused.
pub(crate) const REFUSED: i32 = 4;
/// `status` of something unknown, or of an unusable server.
pub(crate) const STATUS_UNKNOWN: i32 = 4;
/// The server speaks another version of the interface.
pub(crate) const OTHER_VERSION: i32 = 5;
/// Something does not run; also: no socket file.
pub(crate) const NOT_RUNNING: i32 = 7;
