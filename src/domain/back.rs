//! Back from validate to implement: when, how often, and what the next try is told.
//!
//! It must not know who begins that try, nor how a change gets into a worktree.

use serde::{Deserialize, Serialize};

use super::candidate::{Landing, Place};
use super::claim::lookup::found_word;
use super::consensus::{Status, Verdict};
use super::guardrail::Report;
use super::hash::Sha;
use super::judgement::{Ground, Judgement};
use super::safe::Safe;
use super::stage::Stage;

/// How often a run goes back by itself (product §3.4): what two further tries do not mend needs a person.
pub const MOST: u32 = 2;

/// Longest text that the next try is told, in characters: it stands beside the spec, the plan and the tasks.
const WHY_MAX: usize = 8_000;

/// Most words of agents that are told, each with its citations.
const GROUNDS_MAX: usize = 12;

/// What a try stands under among the context that a verdict is bound to: no path begins with it.
const KEY: &str = "back from validate, try ";

/// That a run goes back to implement, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// Which try of implement begins, from 2.
    pub nth: u32,
    /// Hash of the verdict of validate that did not pass.
    pub verdict: Sha,
    /// The candidate that was validated: it is taken back, and its change is what the next try starts from.
    pub landing: Landing,
    /// What went wrong, as the next try is told. Foreign text.
    pub why: Safe,
}

/// What follows from a verdict of validate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// The run goes on, or stops: there is nothing to go back for, or nothing to go back to.
    Not,
    /// It goes back.
    Back(Box<Back>),
    /// It would go back, and has done so as often as it may.
    Spent,
}

/// Tells whether a verdict of validate speaks against the code. Where the panel could not say (a conflict, no quorum),
/// another try of the code would not help it.
fn is_against(verdict: &Verdict) -> bool {
    match verdict.status {
        Status::Blocked | Status::Rejected => true,
        Status::Cancelled
        | Status::Infra
        | Status::Conflict
        | Status::NoQuorum
        | Status::Degraded
        | Status::Hollow
        | Status::AgreeWithDissent
        | Status::Agree => false,
    }
}

/// What the guardrails behind a stage came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rails<'r> {
    /// None failed.
    Green,
    /// One failed; what it said, where that is known.
    Red(Option<&'r Report>),
}

/// Says what follows from a verdict of validate about what landed.
pub fn due(before: Option<&Back>, landing: &Landing, judgement: &Judgement, rails: Rails<'_>) -> Due {
    if landing.place != Place::Tree || (rails == Rails::Green && !is_against(&judgement.verdict)) {
        return Due::Not;
    }
    let nth = before.map_or(1, |back| back.nth) + 1;
    if nth > MOST + 1 {
        return Due::Spent;
    }
    let verdict = judgement.verdict.hash.clone();
    Due::Back(Box::new(Back { nth, verdict, landing: landing.clone(), why: why(judgement, rails) }))
}

/// Says what went wrong: the verdict in a sentence, what was said and is not so, the words of those who objected, and
/// what a guardrail wrote.
fn why(judgement: &Judgement, rails: Rails<'_>) -> Safe {
    let verdict = &judgement.verdict;
    let mut lines = vec![format!("{}: {}.", verdict.status.name(), verdict.why())];
    lines.extend(verdict.reasons.iter().skip(1).map(|reason| format!("Also: {}.", verdict.told(reason))));
    let struck = judgement.phantoms.iter().map(|one| format!("{} said {}: {}.", one.agent, one.said, one.found));
    let is_named = |ground: &&Ground| verdict.reasons.iter().any(|reason| reason.claims.contains(&ground.claim));
    let has_words = |ground: &&Ground| !ground.because.as_str().trim().is_empty();
    let grounds = judgement.grounds.iter().filter(is_named).filter(has_words);
    for line in struck.chain(grounds.take(GROUNDS_MAX).map(grounded)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if let Rails::Red(Some(red)) = rails {
        lines.extend(red.why().map(|why| format!("A guardrail: {why}.")));
        lines.extend(red.red().into_iter().flat_map(|ran| &ran.lines).map(|line| format!("    {line}")));
    }
    let text: String = lines.join("\n").chars().take(WHY_MAX).collect();
    Safe::block(&text)
}

/// Writes what an agent gave as grounds, with what the host found of it.
fn grounded(ground: &Ground) -> String {
    let cited = ground
        .cited
        .iter()
        .map(|(citation, found)| format!("{} ({})", Safe::line(&citation.to_string()), found_word(found.as_ref())));
    let cited = cited.collect::<Vec<_>>().join(", ");
    let cited = if cited.is_empty() { cited } else { format!(" [{cited}]") };
    format!("{}: {}{cited}", ground.agent, ground.because)
}

impl Back {
    /// Returns the git tree that worktrees start with: that of the change which did not pass, where the commit is still
    /// the one that it was made on. On another commit it would undo what was committed since.
    pub fn start(&self, commit: Option<&str>) -> Option<&str> {
        (commit == Some(self.landing.base.as_str())).then_some(self.landing.tree.as_str())
    }

    /// Writes what an agent is told of the try before.
    pub fn told(&self, commit: Option<&str>) -> String {
        let agent = &self.landing.agent;
        let where_it_is = match self.start(commit) {
            Some(_) => format!("Your working copy starts with the change of {agent}, as a commit of its own. Mend it"),
            None => format!(
                "The change of {agent} is not in your working copy, for something was committed since. Begin anew"
            ),
        };
        format!(
            "This is try {} of {}. {where_it_is}: it was validated, and did not pass.\n\n{}",
            self.nth,
            MOST + 1,
            self.why
        )
    }

    /// Returns what stands for it among the context that the verdict of the next try is bound to.
    pub fn as_context(&self) -> (String, Sha) {
        (format!("{KEY}{}", self.nth), self.verdict.clone())
    }

    /// Names the try for people: `2nd try`.
    pub fn named(&self) -> String {
        let ending = match self.nth {
            2 => "nd",
            3 => "rd",
            _ => "th",
        };
        format!("{}{ending} try", self.nth)
    }
}

/// The stages whose results are of the try before once a run has gone back.
pub fn undone() -> impl Iterator<Item = Stage> {
    Stage::ALL.into_iter().filter(|stage| *stage >= Stage::Implement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::AgentName;
    use crate::domain::moment::Moment;

    fn landing(place: Place) -> Landing {
        Landing {
            agent: AgentName::new("ann").unwrap(),
            base: "b".repeat(40),
            tree: "t".repeat(40),
            place,
            branch: String::new(),
            message: String::new(),
            at: Moment(1),
            left_out: Vec::new(),
            also: Vec::new(),
            unasked: Vec::new(),
            by: String::new(),
        }
    }

    macro_rules! judged {
        ($name:literal) => {{
            let panel = include_str!(concat!("../../tests/golden/", $name, ".panel.json"));
            let verdict = include_str!(concat!("../../tests/golden/", $name, ".verdict.json"));
            ($name, Judgement::recorded(panel, verdict).unwrap())
        }};
    }

    #[test]
    fn only_what_speaks_against_the_code_sends_it_back() {
        let all = [
            judged!("rejected"),
            judged!("blocked"),
            judged!("conflict"),
            judged!("no_quorum"),
            judged!("degraded"),
            judged!("hollow"),
            judged!("agree_with_dissent"),
            judged!("agree"),
        ];
        let goes =
            |(_, judged): &&(&str, Judgement)| due(None, &landing(Place::Tree), judged, Rails::Green) != Due::Not;
        assert_eq!(all.iter().filter(goes).map(|(name, _)| *name).collect::<Vec<_>>(), ["rejected", "blocked"]);
        for (name, judged) in &all {
            assert_ne!(due(None, &landing(Place::Tree), judged, Rails::Red(None)), Due::Not, "{name}");
            assert_eq!(due(None, &landing(Place::Branch), judged, Rails::Red(None)), Due::Not, "{name}");
        }
    }

    #[test]
    fn it_goes_back_twice_and_says_why_and_from_what() {
        let (_, judgement) = judged!("rejected");
        let mut before: Option<Box<Back>> = None;
        for nth in 2..=3 {
            let Due::Back(back) = due(before.as_deref(), &landing(Place::Tree), &judgement, Rails::Green) else {
                panic!("try {nth}")
            };
            assert_eq!((back.nth, &back.verdict), (nth, &judgement.verdict.hash));
            assert!(back.why.as_str().starts_with("rejected: "), "{}", back.why);
            before = Some(back);
        }
        assert_eq!(due(before.as_deref(), &landing(Place::Tree), &judgement, Rails::Green), Due::Spent);
        let back = before.unwrap();
        assert_eq!((back.named().as_str(), back.as_context().0.as_str()), ("3rd try", "back from validate, try 3"));
        let base = "b".repeat(40);
        assert_eq!(back.start(Some(&base)), Some("t".repeat(40).as_str()));
        assert!(
            back.told(Some(&base)).starts_with("This is try 3 of 3. Your working copy starts with the change of ann")
        );
        // What was committed since would be undone by it.
        assert_eq!(back.start(Some("another")), None);
        assert!(back.told(Some("another")).contains("is not in your working copy"));
    }
}
