//! The arithmetic of one claim: who said what, how it was counted, and which rule gave the label.
//!
//! It must not decide anything: it counts again with the same functions and shows the numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::label::Label;
use super::panel::{Choice, Panel};
use super::ruling::Case;
use super::tally::{Bench, Claim, Rule, Said, Tally, gather, tally};
use super::verdict::{Judged, Merged, Verdict};
use crate::domain::claim::{Kind, Polarity, Severity, Tier, Value};
use crate::domain::hash::Sha;
use crate::domain::safe::Safe;

/// Fewest hex digits that are taken as the start of a key.
const PREFIX_MIN: usize = 4;

/// Everything that led to one claim's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The claim's key.
    pub key: Sha,
    /// Its kind.
    pub kind: Kind,
    /// Its subject.
    pub subject: String,
    /// Its predicate.
    pub predicate: String,
    /// Its severity.
    pub severity: Severity,
    /// Its label.
    pub label: Label,
    /// The rule that matched, as a sentence.
    pub rule: String,
    /// What was said, strongest side first.
    pub sides: Vec<Side>,
    /// How many families have a vote on it.
    pub answered: usize,
    /// How many families that answered the stage have none.
    pub silent: usize,
    /// The comparison of integers that was made, for example `3·2 ≥ 2·3 holds`; none if counting decided nothing.
    pub comparison: Option<String>,
    /// Other keys that were merged into it.
    pub merged_from: Vec<Merged>,
    /// Who waived it and why, if a waiver holds.
    pub waived: Option<(String, String)>,
}

/// One value and polarity, and who said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The value.
    pub value: Value,
    /// Whether it holds.
    pub polarity: Polarity,
    /// How many families vote for it.
    pub votes: usize,
    /// Whether it won, or was chosen.
    pub is_winner: bool,
    /// Who said it, by name.
    pub speakers: Vec<Speaker>,
}

/// One agent's assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// Its name.
    pub agent: String,
    /// Its family.
    pub family: String,
    /// Whether it votes; the host does not.
    pub is_voter: bool,
    /// How much it said it matters.
    pub severity: Severity,
    /// What the host found; a false one was struck.
    pub tier: Tier,
}

/// Returns the claim that a name means: a key, at least four hex digits of its start, "kind subject", or a subject.
/// None if nothing, or more than one claim, answers to it.
pub fn find<'v>(verdict: &'v Verdict, name: &str) -> Option<&'v Judged> {
    let name = name.trim();
    let only = |pick: &dyn Fn(&Judged) -> bool| {
        let mut found = verdict.claims.iter().filter(|c| pick(c));
        found.next().filter(|_| found.next().is_none())
    };
    let is_prefix = name.len() >= PREFIX_MIN && name.bytes().all(|b| b.is_ascii_hexdigit());
    let by_key = || only(&|c| c.key.as_str() == name || c.merged_from.iter().any(|m| m.key.as_str() == name));
    let by_prefix = || only(&|c| is_prefix && c.key.as_str().starts_with(&name.to_ascii_lowercase()));
    let same = |text: &str| text.to_lowercase() == name.to_lowercase();
    by_key().or_else(by_prefix).or_else(|| only(&|c| same(&c.title()))).or_else(|| only(&|c| same(&c.subject)))
}

/// Explains one claim of a panel's verdict. None if [`find`] finds none.
pub fn explain(panel: &Panel, verdict: &Verdict, name: &str) -> Option<Explanation> {
    let key = &find(verdict, name)?.key;
    let bench = Bench::seat(panel);
    let claims = gather(&bench);
    let i = claims.find(key)?;
    let tallies = claims.list.iter().map(|claim| tally(&bench, claim)).collect();
    let case = Case::open(bench, &claims, tallies);
    let (bench, claim, tally) = (&case.bench, &case.claims.list[i], &case.tallies[i]);
    Some(Explanation {
        key: claim.key().clone(),
        kind: claim.kind,
        subject: claim.subject().to_owned(),
        predicate: claim.predicate.as_ref().to_owned(),
        severity: tally.severity,
        label: tally.label(),
        rule: sentence(bench, claim, tally),
        sides: sides(bench, claim, tally),
        answered: tally.ballots.len(),
        silent: bench.ok.len().saturating_sub(tally.ballots.len()),
        comparison: comparison(bench, tally),
        merged_from: claim.members[1..]
            .iter()
            .map(|m| Merged { key: m.key.clone(), subject: m.subject.clone() })
            .collect(),
        waived: case.waiver(i).map(|w| (w.by.clone(), w.reason.clone())),
    })
}

fn sides(bench: &Bench<'_>, claim: &Claim, tally: &Tally<'_>) -> Vec<Side> {
    let mut by_side: BTreeMap<&Choice, Vec<&Said>> = BTreeMap::new();
    for said in claim.said.iter().filter(|s| s.is_struck()).chain(tally.standing.iter()) {
        by_side.entry(&said.side).or_default().push(said);
    }
    let speaker = |said: &Said| Speaker {
        agent: bench.name(said.agent).to_owned(),
        family: bench.agents[said.agent].family.to_string(),
        is_voter: bench.agents[said.agent].voter,
        severity: said.severity,
        tier: said.tier,
    };
    let side = |(side, mut said): (&Choice, Vec<&Said>)| {
        said.sort_by_key(|s| s.agent);
        Side {
            value: side.value.clone(),
            polarity: side.polarity,
            votes: tally.ballots.iter().filter(|b| *b.side == *side).count(),
            is_winner: tally.winner.as_deref() == Some(side),
            speakers: said.into_iter().map(speaker).collect(),
        }
    };
    let mut sides: Vec<Side> = by_side.into_iter().map(side).collect();
    sides.sort_by_key(|s| (!s.is_winner, std::cmp::Reverse(s.votes)));
    sides
}

/// Returns the comparison that the matched rule rests on.
fn comparison(bench: &Bench<'_>, tally: &Tally<'_>) -> Option<String> {
    let (top, answered, ok) = (tally.top, tally.ballots.len(), bench.ok.len());
    let agree = bench.panel.policy.agree;
    let majority = || {
        let holds = if agree.is_reached(top, answered) { "holds" } else { "fails" };
        format!("{}·{top} ≥ {}·{answered} {holds}", agree.q(), agree.p())
    };
    let half = || {
        let holds = if 2 * answered >= ok { "holds" } else { "fails" };
        format!("{}, 2·{answered} ≥ {ok} {holds}", majority())
    };
    match tally.rule {
        Rule::TooFewForTheTop | Rule::Outvoted | Rule::DissentHasEvidence | Rule::WordsOnly => Some(majority()),
        Rule::Unanimous | Rule::FewAddressedIt => Some(half()),
        Rule::Tie => Some(format!("{top} = {top}")),
        Rule::OneSideRan
        | Rule::TwoSidesRan
        | Rule::NothingLeft
        | Rule::NobodyCouldVote
        | Rule::OneFamily
        | Rule::OnlyTheHost => None,
    }
}

fn sentence(bench: &Bench<'_>, claim: &Claim, tally: &Tally<'_>) -> String {
    match tally.rule {
        Rule::OneSideRan => "the host ran it, and it holds: votes do not matter".into(),
        Rule::TwoSidesRan => "the host ran two sides, and both hold".into(),
        Rule::NothingLeft => format!("every assertion ({}) was found false", claim.said.len()),
        Rule::NobodyCouldVote => "voters spoke, but each family contradicts itself".into(),
        Rule::Tie => "two sides share the top".into(),
        Rule::OneFamily => "only one family has a vote on it".into(),
        Rule::OnlyTheHost => "only the host speaks".into(),
        Rule::DissentHasEvidence => {
            let evidenced = tally.dissent().filter(|s| s.severity >= Severity::Major).max_by_key(|s| s.tier);
            let (severity, tier) = evidenced.map_or((Severity::Major, Tier::E1), |s| (s.severity, s.tier));
            format!("a losing assertion is {severity} and carries {tier}: evidence is not outvoted")
        }
        Rule::TooFewForTheTop => {
            format!("the strongest side has less than {} of the families that answered", bench.panel.policy.agree)
        }
        Rule::WordsOnly => "all agree on something that matters, and nobody has looked (every tier is E0)".into(),
        Rule::Unanimous => "no dissent, and at least half of the families spoke".into(),
        Rule::FewAddressedIt => "no dissent, but less than half of the families spoke".into(),
        Rule::Outvoted => "the majority holds; what was outvoted goes to the ledger".into(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &str| Safe::line(text).to_string();
        let (subject, predicate) = (line(&self.subject), line(&self.predicate));
        writeln!(f, "{} {subject} · {predicate} · {} → {}", self.kind, self.severity, self.label)?;
        writeln!(f, "key        {}", self.key)?;
        for merged in &self.merged_from {
            writeln!(f, "merged     {} ({})", line(&merged.subject), merged.key)?;
        }
        for side in &self.sides {
            let value = match side.polarity {
                Polarity::Yes => line(&side.value.to_string()),
                Polarity::No => format!("not {}", line(&side.value.to_string())),
            };
            let won = if side.is_winner { ", wins" } else { "" };
            writeln!(f, "side       {value}: {} {}{won}", side.votes, plural(side.votes))?;
            for s in &side.speakers {
                let role = if s.is_voter { "" } else { ", no vote" };
                let fate = if s.tier.is_false() { ", struck" } else { "" };
                writeln!(
                    f,
                    "           {} ({}{role}) {} {} {}{fate}",
                    s.agent,
                    s.family,
                    s.severity,
                    s.tier,
                    s.tier.word()
                )?;
            }
        }
        writeln!(
            f,
            "votes      {} of {} families, {} silent",
            self.answered,
            self.answered + self.silent,
            self.silent
        )?;
        if let Some(comparison) = &self.comparison {
            writeln!(f, "numbers    {comparison}")?;
        }
        writeln!(f, "rule       {} → {}", self.rule, self.label)?;
        if let Some((by, reason)) = &self.waived {
            writeln!(f, "waived     by {}: {}", line(by), line(reason))?;
        }
        Ok(())
    }
}

fn plural(votes: usize) -> &'static str {
    if votes == 1 { "vote" } else { "votes" }
}
