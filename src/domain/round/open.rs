//! What stands open after the drafts, in an order that tells nobody who said what.
//!
//! The order comes from hashes of a seed and of what is said, never of a name: the same panel under other names gives
//! the same ballot. It must not know who will be asked.

use std::collections::{BTreeMap, BTreeSet};

use super::{BALLOT_SCHEMA, Ballot, ITEMS_MAX, Item, Side, Why};
use crate::domain::agenda::Topic;
use crate::domain::claim::derive::{Backed, DEMANDED, Derived, REWORDED, WITHDRAWN};
use crate::domain::claim::lookup::Citation;
use crate::domain::claim::{Kind, Severity};
use crate::domain::consensus::{Canon, Choice, Form, Holder, Label, Level, OUTCOME, Panel, Standing, says, standing};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::safe::Safe;
use crate::domain::spec;

/// Families that must have answered: one voice has nobody to exchange anything with.
const FAMILIES_MIN: usize = 2;

/// Longest quotation of a requirement in an item, in characters: its whole text stands in the same prompt.
const QUOTED_MAX: usize = 120;

/// What takes the place of a name in somebody's reasons.
const NAMELESS: &str = "[somebody]";

/// What a ballot is made of, besides the panel.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Where the order comes from: the run's id, so that no place on the list is always the same claim's.
    pub seed: &'a str,
    /// What each agent said, with its reasons and citations.
    pub voices: &'a BTreeMap<&'a AgentName, Derived>,
    /// The spec's requirements.
    pub requirements: &'a [spec::Requirement],
    /// The agenda that was asked.
    pub agenda: &'a [Topic],
}

/// Lists what stands open: conflicts, texts that may say the opposite of each other, what somebody was outvoted on, and
/// what a family that answered has said nothing about, of severity minor or more; requirements that must hold and major claims first, at most
/// [`ITEMS_MAX`]. `None` if fewer than two families answered or nothing is open.
///
/// Not asked: what was run (it is settled), what a human took responsibility for, and conditions (the ledger's).
pub fn open(panel: &Panel, asking: &Asking<'_>) -> Option<Ballot> {
    let standings = standing(panel);
    if standings.families.len() < FAMILIES_MIN {
        return None;
    }
    let paired: BTreeSet<usize> = standings.possible_conflicts.iter().flat_map(|(a, b)| [*a, *b]).collect();
    let decided: BTreeSet<&Sha> = panel.waivers.iter().map(|waiver| &waiver.claim).chain(&panel.rejected).collect();
    let why = |at: usize, claim: &Standing| {
        let is_asked = claim.severity >= Severity::Minor
            && !claim.sides.is_empty()
            && claim.label != Label::Proven
            && claim.predicate != "condition"
            && !claim.keys.iter().any(|key| decided.contains(key));
        if !is_asked {
            None
        } else if claim.label == Label::Conflict {
            Some(Why::Conflict)
        } else if paired.contains(&at) {
            Some(Why::PossibleConflict)
        } else if claim.sides.len() > 1 {
            Some(Why::Outvoted)
        } else {
            (!standings.families.is_subset(&claim.families)).then_some(Why::Unaddressed)
        }
    };
    let mut open: Vec<(usize, Why)> =
        (0..standings.claims.len()).filter_map(|at| why(at, &standings.claims[at]).map(|why| (at, why))).collect();
    open.sort_by_cached_key(|(at, why)| {
        let claim = &standings.claims[*at];
        (!is_weighty(panel, claim), *why, std::cmp::Reverse(claim.severity), mixed(asking.seed, claim.key().as_str()))
    });
    let left_out = open.len().saturating_sub(ITEMS_MAX);
    open.truncate(ITEMS_MAX);
    if open.is_empty() {
        return None;
    }
    let desk = Desk { panel, asking, said: said(panel, asking.voices) };
    let mut items: Vec<Item> =
        (1..).zip(&open).map(|(n, (at, why))| desk.item(n, &standings.claims[*at], *why)).collect();
    let number: BTreeMap<usize, u32> = open.iter().zip(1..).map(|((at, _), n)| (*at, n)).collect();
    for (a, b) in &standings.possible_conflicts {
        if let (Some(&a), Some(&b)) = (number.get(a), number.get(b)) {
            for (one, other) in [(a, b), (b, a)] {
                items[one as usize - 1].near.get_or_insert(other);
            }
        }
    }
    for (i, (a, _)) in open.iter().enumerate() {
        let same = open.iter().zip(1..).filter(|((b, _), _)| a != b);
        let same = same.filter(|((b, _), _)| standings.claims[*a].may_be(&standings.claims[*b]));
        items[i].may_be = same.map(|(_, n)| n).collect();
    }
    Some(Ballot { schema: BALLOT_SCHEMA.to_owned(), items, left_out })
}

/// Major or more, or about a requirement that must hold.
fn is_weighty(panel: &Panel, claim: &Standing) -> bool {
    let is_must = |id: &str| panel.requirements.iter().any(|r| r.level == Level::Must && r.id.eq_ignore_ascii_case(id));
    claim.severity >= Severity::Major || is_must(&claim.subject) || claim.requirement.as_deref().is_some_and(is_must)
}

/// A place in an order that only the seed and the text decide.
fn mixed(seed: &str, text: &str) -> Sha {
    Sha::of(format!("{seed}\0{text}"))
}

/// What each agent said on a key, and how it backed it.
type SaidBy<'a> = BTreeMap<(Sha, Choice, &'a AgentName), Vec<&'a Backed>>;

fn said<'a>(panel: &Panel, voices: &'a BTreeMap<&'a AgentName, Derived>) -> SaidBy<'a> {
    let canon = panel.canon();
    let mut out = SaidBy::new();
    for (agent, derived) in voices {
        for backed in derived.assertions.iter().filter(|backed| !backed.assertion.tier.is_false()) {
            out.entry((key(&canon, backed), says(&canon, &backed.assertion), agent)).or_default().push(backed);
        }
    }
    out
}

fn key(canon: &Canon, backed: &Backed) -> Sha {
    let said = &backed.assertion;
    canon.key(said.kind, &said.subject, &said.predicate)
}

struct Desk<'a> {
    panel: &'a Panel,
    asking: &'a Asking<'a>,
    said: SaidBy<'a>,
}

impl Desk<'_> {
    fn item(&self, n: u32, claim: &Standing, why: Why) -> Item {
        let mut sides: Vec<Side> = claim.sides.iter().map(|(says, holders)| self.side(claim, says, holders)).collect();
        sides.sort_by_cached_key(|side| {
            let says = format!("{}\0{}\0{}", claim.key(), side.says.polarity.sign(), side.says.value);
            mixed(self.asking.seed, &says)
        });
        (1..).zip(&mut sides).for_each(|(n, side)| side.n = n);
        Item {
            n,
            claim: Safe::line(&self.in_words(claim)),
            why,
            near: None,
            keys: claim.keys.clone(),
            kind: claim.kind,
            subject: claim.subject.clone(),
            predicate: claim.predicate.clone(),
            requirement: claim.requirement.clone(),
            severity: claim.severity,
            may_be: BTreeSet::new(),
            sides,
        }
    }

    fn side(&self, claim: &Standing, says: &Choice, holders: &[Holder]) -> Side {
        let held_by: BTreeSet<AgentName> = holders.iter().map(|holder| holder.agent.clone()).collect();
        let of = |agent| claim.keys.iter().filter_map(move |key| self.said.get(&(key.clone(), says.clone(), agent)));
        let backed: Vec<&Backed> = held_by.iter().flat_map(of).flatten().copied().collect();
        let reasons = backed.iter().filter(|backed| !backed.because.as_str().trim().is_empty());
        let best = reasons.max_by_key(|backed| {
            let reason = self.without_names(backed.because.as_str());
            (backed.assertion.tier, mixed(self.asking.seed, &reason), reason)
        });
        let evidence: BTreeSet<&Citation> = backed.iter().flat_map(|backed| &backed.evidence).collect();
        Side {
            n: 0,
            says: says.clone(),
            because: best.map(|backed| Safe::line(&self.without_names(backed.because.as_str()))).unwrap_or_default(),
            evidence: evidence.into_iter().cloned().collect(),
            tier: holders.iter().map(|holder| holder.tier).max().unwrap_or_default(),
            severity: holders.iter().map(|holder| holder.severity).max().unwrap_or_default(),
            leads: claim.winner.as_ref() == Some(says),
            held_by,
        }
    }

    /// Takes the participants' names and families out of somebody's reasons. What a claim itself says is left alone: it
    /// is compared by its words.
    fn without_names(&self, text: &str) -> String {
        let names: BTreeSet<&str> =
            self.panel.agents.iter().flat_map(|agent| [agent.name.as_str(), agent.family.as_str()]).collect();
        // The longest first: one name may begin with another.
        let mut names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.into_iter().fold(text.to_owned(), |text, name| without(&text, name))
    }

    fn in_words(&self, claim: &Standing) -> String {
        let quoted = |id: &str| {
            let text =
                self.asking.requirements.iter().find(|r| r.id == id).map(|r| r.text.as_str()).unwrap_or_default();
            let cut: String = text.chars().take(QUOTED_MAX).collect();
            let more = if cut.len() < text.len() { "…" } else { "" };
            if text.is_empty() { String::new() } else { format!(": “{cut}{more}”") }
        };
        let Standing { kind, subject, predicate, .. } = claim;
        let topic = self.asking.agenda.iter().find(|topic| topic.id == *subject);
        match (kind, topic) {
            (Kind::Decision, Some(topic)) => topic.ask.clone(),
            (Kind::Decision, None) if (subject.as_str(), predicate.as_str()) == OUTCOME => {
                format!("the outcome of stage {}", self.panel.stage)
            }
            (Kind::Decision, None) if predicate == DEMANDED => format!("the spec should also ask: {subject}"),
            (Kind::Decision, None) if predicate == REWORDED => format!("what {subject} should say{}", quoted(subject)),
            (Kind::Decision, None) if predicate == WITHDRAWN => format!("{subject} should go{}", quoted(subject)),
            (Kind::Covers, _) => format!("{subject} is covered{}", quoted(subject)),
            (Kind::Risk | Kind::Finding, _) if claim.form == Form::FreeText => {
                format!("{kind} ({predicate}): {subject}")
            }
            (Kind::Risk | Kind::Finding, _) => format!("{kind} about {subject} ({predicate}){}", quoted(subject)),
            (Kind::Test | Kind::FileChange | Kind::Decision, _) => format!("{kind} {subject}: {predicate}"),
        }
    }
}

/// Takes a name out of a text wherever it stands as a word, in any case.
fn without(text: &str, name: &str) -> String {
    let (folded, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for (at, _) in folded.match_indices(&name) {
        let end = at + name.len();
        if at < kept || is_part(folded[..at].chars().next_back()) || is_part(folded[end..].chars().next()) {
            continue;
        }
        out.push_str(&text[kept..at]);
        out.push_str(NAMELESS);
        kept = end;
    }
    out.push_str(&text[kept..]);
    out
}
