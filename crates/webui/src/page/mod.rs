//! The pages as HTML. Whatever is put into one is escaped where it is put.

mod note;
mod status;
mod tail;

use maud::{DOCTYPE, Markup, html};

use crate::language::Language;

pub use note::{refused, unavailable};
pub use status::status_page;
pub use tail::{Tail, tail_page};

/// A whole document. Addresses are relative, so that a proxy may put the pages under any path.
fn document(language: Language, title: &str, script: Option<&str>, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link href="stylesheets/supervisor.css" rel="stylesheet" type="text/css";
                link href="images/icon.png" rel="icon" type="image/png" sizes="32x32";
                link href="images/icon.svg" rel="icon" type="image/svg+xml";
                @if let Some(script) = script {
                    script type="module" src=(script) {}
                }
            }
            body { (body) }
        }
    };
    page.into_string()
}
