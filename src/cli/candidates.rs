//! Candidates of stage implement in lines, for people.
//!
//! It must not rank them: they come best first.

use crate::app::event::What;
use crate::domain::candidate::{Candidate, Look, Share, Tried, named};
use crate::domain::safe::Safe;

/// Writes a row for each candidate, best first.
pub fn table(tried: &Tried) -> String {
    let mut text = format!("candidates on {}\n", tried.base.chars().take(7).collect::<String>());
    let width = tried.candidates.iter().map(|one| one.agent.as_str().chars().count()).max().unwrap_or(0);
    for (at, one) in tried.candidates.iter().enumerate() {
        let name = one.agent.as_str();
        text.push_str(&format!(
            "  {name:<width$}  +{} -{} in {}  yours {}  theirs {}  {}{}\n",
            one.added,
            one.removed,
            if one.files == 1 { "1 file".to_owned() } else { format!("{} files", one.files) },
            share(one.yours),
            share(one.theirs),
            looks(one),
            standing(one, at == 0),
        ));
        if let Some(extras) = &one.extras {
            let fate = if extras.needed { "its tests are red without" } else { "left out" };
            text.push_str(&format!("  {:<width$}  nobody asked for {}: {fate}\n", "", extras.named()));
        }
    }
    text
}

/// Says of each check that is no test whether it passed.
fn looks(one: &Candidate) -> String {
    let word = |look: &Look| format!("{} {}  ", look.name, if look.passed { "ok" } else { "red" });
    one.looks.iter().map(word).collect()
}

/// Writes a share of tests; a dash where there are none.
pub fn share(share: Share) -> String {
    if share.of == 0 { "-".to_owned() } else { format!("{}/{}", share.passed, share.of) }
}

/// Says how a candidate stands: out and why, best, and who has the same result.
pub fn standing(one: &Candidate, is_first: bool) -> String {
    if let Some(why) = &one.out {
        return format!("out: {why}");
    }
    let alike: Vec<&str> = one.alike.iter().map(|agent| agent.as_str()).collect();
    let alike = if alike.is_empty() { String::new() } else { format!("same result as {}", alike.join(", ")) };
    match (is_first, alike.is_empty()) {
        (true, true) => "best".to_owned(),
        (true, false) => format!("best, {alike}"),
        (false, _) => alike,
    }
}

/// Says where a candidate is now.
pub fn landed(what: &What) -> String {
    let What::CandidateLanded { agent, branch, commit, undone, left_out, also, unasked, .. } = what else {
        return String::new();
    };
    let short = |commit: &Option<String>| commit.as_deref().unwrap_or_default().chars().take(7).collect::<String>();
    let told = |words: &str, places: &[Safe]| match places {
        [] => String::new(),
        places => format!("         {words} {}\n", named(places.iter().map(Safe::as_str))),
    };
    let parts = if *undone {
        String::new()
    } else {
        told("with", also) + &told("unasked", unasked) + &told("left out", left_out)
    };
    let where_to = match (branch, undone) {
        (Some(branch), false) => {
            format!("landed   {agent} on {branch}, commit {} (`git switch {branch}`)\n", short(commit))
        }
        (None, false) => format!("landed   {agent} in the working copy, not committed\n"),
        (Some(branch), true) => format!("undone   {branch} is gone\n"),
        (None, true) => format!("undone   the change of {agent} is out of the working copy\n"),
    };
    where_to + &parts
}
