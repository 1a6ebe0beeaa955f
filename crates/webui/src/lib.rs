//! The web pages: what they show, what their buttons do, and in which words.
//!
//! Knows the daemon as every dialect does, through [`upkeep_api`], and no socket: whoever serves the pages hands over
//! a request's path, form and headers, and sends what comes back. URLs, actions and messages are Supervisor's
//! (RPC-200 … RPC-220), so that its scripts go on; what they look like is ours.
//!
//! - `form` is what a request says, `origin` whether one of our own pages may have sent it.
//! - `action` is what is to be done; `outcome` what became of it, and the message about it.
//! - `page` writes HTML, `status` the small document by which an open page keeps itself up to date.
//! - `texts` holds every word in every language; `assets` the files that are sent as they are.
//!
//! The pages work without a script. With it they ask every two seconds while they are visible, and only then.

#![forbid(unsafe_code)]

mod action;
mod assets;
mod form;
mod language;
mod origin;
mod outcome;
mod page;
mod status;
mod texts;

pub use action::{Action, Step, WrongAction};
pub use assets::{Asset, asset, is_folder};
pub use form::{Form, quote};
pub use language::Language;
pub use origin::{Sender, ask_sender};
pub use outcome::{Outcome, outcome_json};
pub use page::{Tail, refused, status_page, tail_page, unavailable};
pub use status::{Status, status_json};

/// What the pages may load and where their forms may go: this server and nothing else, and no script or style inside
/// of a page, so that a process' name or output can never become one.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'";
