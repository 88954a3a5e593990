//! What is proposed for a spec, and what became of its document, in lines for people.
//!
//! It must not know where either comes from.

use crate::app::event::What;
use crate::domain::proposal::Deed;

/// Writes what is proposed, with what it would change; or what became of the document, and what comes next. Nothing for
/// any other event.
pub fn told(what: &What) -> String {
    let What::SpecProposed { file, path, notes, added, removed, diff } = what else { return rewritten(what) };
    if diff.is_empty() {
        return format!("proposed: {file} stays as it is\n  text     {path}\n");
    }
    let why = notes.as_ref().map(|notes| format!("  why      {notes}\n")).unwrap_or_default();
    format!("proposed: {file} +{added} -{removed} lines\n  text     {path}\n{why}{diff}")
}

fn rewritten(what: &What) -> String {
    let What::SpecRewritten { file, deed, by, backup, added, removed, open, critical, asks, next, .. } = what else {
        return String::new();
    };
    let mut text = match deed {
        Deed::Adopted => format!("written: {file} +{added} -{removed} lines, by {by}\n"),
        Deed::Already => format!("{file} is what was proposed already\n"),
        Deed::Unchanged => format!("{file} stays as it is: the panel would change nothing\n"),
        Deed::Restored => format!("{file} has its old text again, by {by}\n"),
    };
    if let Some(backup) = backup.as_ref().filter(|_| *deed == Deed::Adopted) {
        text.push_str(&format!("  before   {backup}\n"));
    }
    if let Some(asks) = asks {
        text.push_str(&format!("  open     {open} asked by clarify, {critical} critical; first: {asks}\n"));
    }
    text.push_str(&format!("  next     {next}\n"));
    text
}
