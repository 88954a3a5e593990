//! `review/specify.md`: what the proposal changes, why, by whom; what is left out, and what a person has to decide.
//!
//! It must not know how the proposal is made.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::propose::{Done, Proposal, Subject};
use super::sections::{Part, PartKind};
use super::wanted::{Wanted, What, words_of};
use crate::domain::artifact::Body;
use crate::domain::claim::derive::{DEMANDED, REWORDED, WITHDRAWN};
use crate::domain::claim::{Kind, Polarity, Tier};
use crate::domain::consensus::Judged;
use crate::domain::document::Desk;
use crate::domain::document::voices::Stands;
use crate::domain::document::words::{folded, inline, listed, section, sentence};
use crate::domain::gate::{Side, Wants};

/// Writes review/specify.md.
pub(super) fn told(desk: &Desk<'_>, proposal: &Proposal<'_>) -> String {
    let spec = desk.inputs.spec;
    let mut out = format!("# Proposal: {}\n\n", inline(&spec.title));
    let _ = writeln!(out, "**Spec**: `{}` | {}\n", spec.file, desk.standing());
    let is_same = desk.inputs.text == Some(proposal.text.as_str());
    let _ = match is_same {
        true => writeln!(out, "Nothing is proposed: the spec stays as it is."),
        false => writeln!(out, "The whole text as proposed: `{}`. Nothing else is changed.", spec.proposal_path()),
    };
    if proposal.begins {
        out.push_str("\nThe spec had no requirement with an id: from now on those of its new section count.\n");
    }
    section(&mut out, "Summary", &inline(&desk.base().1.summary));
    let mut changes = Changes::default();
    for (subject, done) in &proposal.changes {
        match subject {
            Subject::Wish(wanted) => changes.take(desk, wanted, done),
            Subject::Part(part) => changes.part(part, done),
            Subject::Rest(ids) => {
                for id in ids.iter().filter(|_| matches!(done, Done::Gone { .. })) {
                    let _ = writeln!(changes.withdrawn, "- {}: a placeholder that nobody filled in", inline(id));
                }
            }
        }
    }
    section(&mut out, "Reworded", &changes.reworded);
    section(&mut out, "Added", &changes.added);
    section(&mut out, "Withdrawn", &changes.withdrawn);
    let unvoted = format!("Nobody votes on these: they are {}'s, whose draft is followed.\n\n", desk.base().0);
    section(&mut out, "Beside the Requirements", &with_head(&unvoted, &changes.beside));
    let untaken = "Others say these beside requirements, and the proposal does not: take what you want by hand.\n\n";
    section(&mut out, "Beside the Requirements, of Others", &with_head(untaken, &of_others(desk, &proposal.text)));
    section(&mut out, "By hand", &changes.by_hand);
    section(&mut out, "Decisions", &desk.decisions());
    section(&mut out, "Left Out", &left_out(desk, &proposal.left_out));
    let told = open_here(proposal);
    section(&mut out, "Open", &format!("{}{}", changes.open, open(desk, &told)));
    section(&mut out, "Questions", &desk.questions());
    section(&mut out, "Struck", &desk.voices.struck());
    out
}

/// Lines by what they are about.
#[derive(Default)]
struct Changes {
    reworded: String,
    added: String,
    withdrawn: String,
    beside: String,
    by_hand: String,
    open: String,
}

fn with_head(head: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{head}{text}") }
}

impl Changes {
    fn part(&mut self, part: &Part, done: &Done) {
        let what = part.kind.word();
        for said in &part.said {
            let said = quoted(said);
            let _ = match done {
                Done::ByHand(why) => writeln!(self.by_hand, "- {what}: {said}: {why}"),
                // They were voted on, and stand among the decisions.
                Done::Changed { .. } if part.kind == PartKind::Clarifications => Ok(()),
                Done::Changed { .. } | Done::Gone { .. } | Done::Added { .. } | Done::Filled { .. } | Done::There => {
                    writeln!(self.beside, "- {what}: {said}")
                }
            };
        }
    }

    fn take(&mut self, desk: &Desk<'_>, wanted: &Wanted<'_>, done: &Done) {
        let said = said(desk, wanted);
        let why = match wanted.because.trim() {
            "" => String::new(),
            because => format!("  - Why: {}\n", inline(because)),
        };
        let line = match (&wanted.what, done) {
            (_, Done::There) => return,
            (What::Reworded { id, words }, Done::Changed { was }) => {
                (&mut self.reworded, format!("{id}: {} → {}", quoted(was), quoted(words)))
            }
            (What::Withdrawn { id }, Done::Gone { was }) => (&mut self.withdrawn, format!("{id}: {}", quoted(was))),
            (What::Demanded { words, only }, Done::Added { id } | Done::Filled { id }) => {
                let only = if only.is_some() { ", to be confirmed" } else { "" };
                (&mut self.added, format!("{}: {}{only}", inline(id), quoted(words)))
            }
            (What::Doubted { id, .. }, Done::Changed { was }) => {
                let line = format!("- **OPEN** {id}: {} stays, marked: {said}\n", quoted(was));
                self.open.push_str(&line);
                return;
            }
            (What::Doubted { id, .. }, Done::ByHand(why)) => {
                let _ = writeln!(self.open, "- **OPEN** {id}: {said}; not marked in the text: {why}");
                return;
            }
            (what, Done::ByHand(why)) => {
                let what = match what {
                    What::Reworded { id, words } => format!("{id} should say {}", quoted(words)),
                    What::Withdrawn { id } => format!("{id} should go"),
                    What::Demanded { words, .. } => format!("it should also ask {}", quoted(words)),
                    What::Doubted { id, .. } => id.clone(),
                };
                let _ = writeln!(self.by_hand, "- {what} ({said}): {why}");
                return;
            }
            (
                What::Reworded { .. } | What::Withdrawn { .. } | What::Demanded { .. } | What::Doubted { .. },
                Done::Changed { .. } | Done::Gone { .. } | Done::Added { .. } | Done::Filled { .. },
            ) => return,
        };
        let (section, line) = line;
        let _ = write!(section, "- {line} ({said})\n{why}");
    }
}

fn quoted(words: &str) -> String {
    format!("“{}”", inline(words))
}

/// Who is for it and who against, with how well it is shown.
fn said(desk: &Desk<'_>, wanted: &Wanted<'_>) -> String {
    if let What::Doubted { sides, .. } = &wanted.what {
        let side = |(side, tier): &(Side, Tier)| {
            let wants = match &side.wants {
                Wants::Words(words) => quoted(words),
                Wants::Gone => "it should go".to_owned(),
                Wants::Same => "it should stay".to_owned(),
            };
            format!("{wants} ({}; {})", side.who, tier.word())
        };
        return sides.iter().map(side).collect::<Vec<_>>().join(" against ");
    }
    let one = |claim: &&Judged| format!("{}{}", desk.voices.support(claim), desk.voices.against(claim));
    wanted.claims.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What a claim about the spec asks for, in words.
fn about(desk: &Desk<'_>, claim: &Judged) -> String {
    let subject = inline(&claim.subject);
    let words = words_of(desk, claim);
    match claim.predicate.as_str() {
        DEMANDED => format!("it should also ask {}", quoted(&words)),
        WITHDRAWN => format!("{subject} should go"),
        _ if words.is_empty() => format!("{subject} should say something else"),
        _ => format!("{subject} should say {}", quoted(&words)),
    }
}

fn left_out(desk: &Desk<'_>, claims: &[(&Judged, &'static str)]) -> String {
    let line = |(claim, why): &(&Judged, &'static str)| {
        let sides = match claim.polarity {
            Some(Polarity::Yes) => format!("{}{}", desk.voices.support(claim), desk.voices.against(claim)),
            Some(Polarity::No) | None => desk.voices.sides(claim),
        };
        format!("- {} ({sides}): {why}\n", about(desk, claim))
    };
    claims.iter().map(line).collect()
}

/// What drafts that are not followed say beside requirements and the proposal does not: each once, with who says it.
fn of_others(desk: &Desk<'_>, proposed: &str) -> String {
    let whole = format!(" {} ", folded(proposed));
    let mut found: Vec<(PartKind, String, Vec<&str>)> = Vec::new();
    for (name, artifact) in desk.drafts.iter().skip(1) {
        let Body::Specify(draft) = &artifact.body else { continue };
        let stories = draft.stories.iter().map(|story| (PartKind::Stories, &story.title));
        let lists = [
            (PartKind::EdgeCases, &draft.edge_cases),
            (PartKind::SuccessCriteria, &draft.success_criteria),
            (PartKind::Assumptions, &draft.assumptions),
        ];
        let lists = lists.into_iter().flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, text)));
        for (kind, words) in stories.chain(lists).filter_map(|(kind, text)| Some((kind, sentence(text)?))) {
            let key = folded(&words);
            if key.is_empty() || whole.contains(&format!(" {key} ")) {
                continue;
            }
            match found.iter_mut().find(|(known, said, _)| *known == kind && folded(said) == key) {
                Some((.., who)) if who.contains(&name.as_str()) => {}
                Some((.., who)) => who.push(name.as_str()),
                None => found.push((kind, words, vec![name.as_str()])),
            }
        }
    }
    let line = |(kind, words, who): &(PartKind, String, Vec<&str>)| {
        format!("- {}: {} ({})\n", kind.word(), quoted(words), listed(who))
    };
    found.iter().map(line).collect()
}

/// The claims whose conflict stands in the text.
fn open_here<'a>(proposal: &Proposal<'a>) -> BTreeSet<&'a str> {
    let doubts = proposal.changes.iter().filter_map(|(subject, _)| match subject {
        Subject::Wish(wanted) => matches!(wanted.what, What::Doubted { .. }).then_some(&wanted.claims),
        Subject::Part(_) | Subject::Rest(_) => None,
    });
    doubts.flatten().map(|claim| claim.key.as_str()).collect()
}

/// Conflicts that stand in no other part: those about the spec in words, then the others.
fn open(desk: &Desk<'_>, told: &BTreeSet<&str>) -> String {
    let mut out = String::new();
    for predicate in [DEMANDED, REWORDED, WITHDRAWN] {
        for claim in desk.voices.claims(Kind::Decision, predicate) {
            let is_open = desk.voices.stands(claim) == Stands::Open;
            if is_open && !told.contains(claim.key.as_str()) {
                let _ = writeln!(out, "- **OPEN** {}: {}", about(desk, claim), desk.voices.sides(claim));
            }
        }
    }
    let known = [DEMANDED, REWORDED, WITHDRAWN].map(|predicate| (Kind::Decision, predicate));
    out + &desk.open(&known)
}
