//! Tells of a change what no task asked for: what of it was left out, and what somebody took all the same.

use super::Part;
use crate::domain::candidate::{Candidate, Extra, Landing, Place, Tried};

/// The columns of the table.
const HEADS: &[&str] = &["Place", "Written by", "What became of it"];

/// Returns where the candidate went, and a row for each hunk that no task asked for; nothing where none is.
pub(super) fn told(tried: &Tried, landing: Option<&Landing>) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(landing) = landing {
        parts.push(Part::Facts(vec![("Landed", whereabouts(landing))]));
    }
    let of = |one: &Candidate| {
        let extras = one.extras.iter().flat_map(|extras| &extras.hunks);
        extras.map(|extra| row(one, extra, landing)).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = tried.candidates.iter().flat_map(of).collect();
    if !rows.is_empty() {
        parts.push(Part::Heading("What no task asked for".to_owned()));
        parts.push(Part::Table { heads: HEADS, rows });
    }
    parts
}

fn whereabouts(landing: &Landing) -> String {
    let place = match landing.place {
        Place::Branch => format!("on the branch {}", landing.branch),
        Place::Tree => "in the working copy".to_owned(),
    };
    format!("the change of {} {place}, taken by {}", landing.agent, by(landing))
}

/// Names who took it; a run of an earlier version does not say.
fn by(landing: &Landing) -> &str {
    if landing.by.is_empty() { "a person" } else { &landing.by }
}

fn row(one: &Candidate, extra: &Extra, landing: Option<&Landing>) -> Vec<String> {
    let named = format!("{} of {}", extra.place, one.agent);
    let is_needed = one.extras.as_ref().is_some_and(|extras| extras.needed);
    let is_taken = |landing: &&Landing| {
        let is_whole = landing.agent == one.agent && landing.tree == one.whole();
        is_whole || landing.unasked.iter().any(|place| place.as_str() == named)
    };
    let fate = match (landing, landing.filter(is_taken)) {
        (_, Some(landing)) => format!("taken by {}", by(landing)),
        (Some(landing), None) if landing.agent != one.agent => "not taken, as its candidate".to_owned(),
        (Some(_), None) => "left out".to_owned(),
        (None, None) if is_needed => "nobody has taken it, and its tests are red without".to_owned(),
        (None, None) => "left out".to_owned(),
    };
    vec![extra.place.to_string(), one.agent.to_string(), fate]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::candidate::Extras;
    use crate::domain::hunks::Diff;
    use crate::domain::ids::{AgentName, Family};
    use crate::domain::safe::Safe;

    /// A candidate with a hunk that no task asked for.
    fn candidate(agent: &str, needed: bool) -> Candidate {
        let text = format!(
            "diff --git a/{agent}.rs b/{agent}.rs\nindex 1..2 100644\n--- a/{agent}.rs\n+++ b/{agent}.rs\n@@ -7 +7 @@\n-a\n+b\n"
        );
        let diff = Diff::from(text.as_str());
        let hunk = &diff.hunks()[0];
        let extra = Extra { id: hunk.id.clone(), place: Safe::line(&hunk.place()) };
        Candidate {
            agent: AgentName::new(agent).unwrap(),
            family: Family::new(agent).unwrap(),
            tree: format!("lean {agent}"),
            state: String::new(),
            files: 1,
            added: 1,
            removed: 1,
            yours: Default::default(),
            theirs: Default::default(),
            passed: Default::default(),
            failed: Default::default(),
            out: None,
            alike: Default::default(),
            extras: Some(Extras { whole: format!("whole {agent}"), hunks: vec![extra], needed }),
            looks: Vec::new(),
        }
    }

    fn landing(agent: &str, tree: &str, unasked: &[&str]) -> Landing {
        Landing {
            agent: AgentName::new(agent).unwrap(),
            base: String::new(),
            tree: tree.to_owned(),
            place: Place::Branch,
            branch: "dicast/001-x".into(),
            message: String::new(),
            at: crate::domain::moment::Moment(1),
            left_out: Vec::new(),
            also: Vec::new(),
            unasked: unasked.iter().map(|place| Safe::line(place)).collect(),
            by: "ana".into(),
        }
    }

    fn fates(landing: Option<Landing>) -> Vec<String> {
        let tried = Tried { base: String::new(), candidates: vec![candidate("ann", false), candidate("bob", true)] };
        let rows = told(&tried, landing.as_ref()).into_iter().find_map(|part| match part {
            Part::Table { rows, .. } => Some(rows),
            Part::Heading(_) | Part::Line(_) | Part::Facts(_) => None,
        });
        rows.unwrap().into_iter().map(|row| row.join(" | ")).collect()
    }

    #[test]
    fn each_hunk_that_no_task_asked_for_says_whose_it_is_and_what_became_of_it() {
        assert_eq!(
            fates(None),
            ["ann.rs:7 | ann | left out", "bob.rs:7 | bob | nobody has taken it, and its tests are red without"]
        );
        assert_eq!(
            fates(Some(landing("ann", "lean ann", &[]))),
            ["ann.rs:7 | ann | left out", "bob.rs:7 | bob | not taken, as its candidate"]
        );
        let picked = landing("ann", "another", &["ann.rs:7 of ann", "bob.rs:7 of bob"]);
        assert_eq!(fates(Some(picked)), ["ann.rs:7 | ann | taken by ana", "bob.rs:7 | bob | taken by ana"]);
        assert_eq!(fates(Some(landing("ann", "whole ann", &[])))[0], "ann.rs:7 | ann | taken by ana");
        assert!(told(&Tried::default(), None).is_empty());
    }
}
