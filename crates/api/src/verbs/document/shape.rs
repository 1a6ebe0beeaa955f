//! What is the same in the documents of all processes, whatever they are: between any two values one text.

pub(super) use crate::xmlrpc::{RESPONSE_BEGIN as DOCUMENT_BEGIN, RESPONSE_END as DOCUMENT_END};

pub(super) const LIST_BEGIN: &str = "<value><array><data>\n";
pub(super) const LIST_END: &str = "</data></array></value>\n";

/// From the end of one member's value to the beginning of the next one's.
macro_rules! then {
    ($type:literal, $name:literal: $next:literal) => {
        concat!("</", $type, "></value>\n</member>\n<member>\n<name>", $name, "</name>\n<value><", $next, ">")
    };
}

/// Begins a process, and its name.
pub(super) const NAME: &str = "<value><struct>\n<member>\n<name>name</name>\n<value><string>";
pub(super) const GROUP: &str = then!("string", "group": "string");
pub(super) const START: &str = then!("string", "start": "int");
pub(super) const STOP: &str = then!("int", "stop": "int");
pub(super) const NOW: &str = then!("int", "now": "int");
pub(super) const STATE: &str = then!("int", "state": "int");
pub(super) const STATENAME: &str = then!("int", "statename": "string");
pub(super) const SPAWNERR: &str = then!("string", "spawnerr": "string");
pub(super) const EXITSTATUS: &str = then!("string", "exitstatus": "int");
pub(super) const LOGFILE: &str = then!("int", "logfile": "string");
pub(super) const STDOUT_LOGFILE: &str = then!("string", "stdout_logfile": "string");
pub(super) const STDERR_LOGFILE: &str = then!("string", "stderr_logfile": "string");
pub(super) const PID: &str = then!("string", "pid": "int");
pub(super) const DESCRIPTION: &str = then!("int", "description": "string");
/// Ends the description, and the process.
pub(super) const END: &str = "</string></value>\n</member>\n</struct></value>\n";
