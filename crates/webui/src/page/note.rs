//! Pages instead of the one that was asked for.

use maud::html;

use super::document;
use crate::language::Language;
use crate::texts::texts;

/// Tells that a page from elsewhere may change nothing (D-17).
#[must_use]
pub fn refused(language: Language) -> String {
    let texts = texts(language);
    note(language, texts.refused_title, &[texts.refused, texts.refused_hint])
}

/// Tells that the daemon is ending.
#[must_use]
pub fn unavailable(language: Language) -> String {
    let texts = texts(language);
    note(language, texts.unavailable_title, &[texts.unavailable])
}

fn note(language: Language, title: &str, paragraphs: &[&str]) -> String {
    let body = html! {
        header {
            img src="images/icon.svg" alt="" width="32" height="32";
            h1 { (title) }
        }
        main.note {
            @for paragraph in paragraphs { p { (paragraph) } }
            p { a.button href="index.html" { (texts(language).back) } }
        }
    };
    document(language, title, None, &body)
}
