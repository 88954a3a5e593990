//! The arithmetic of one claim: who said what, how it was counted, and which rule gave the label.
//!
//! It must not decide anything: it counts again with the same functions and shows the numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::label::Label;
use super::marks::is_told_apart;
use super::near::Nearness;
use super::panel::{Choice, Panel, Split};
use super::policy::Ratio;
use super::reckon;
use super::ruling::Case;
use super::tally::{Bench, Claim, Said, Tally, gather, tally};
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
    /// The comparison of integers that it rests on, for example `3·2 ≥ 2·3 holds`.
    pub comparison: String,
    /// Other texts that were merged into it, and why.
    pub merged_from: Vec<Merge>,
    /// What a human split from it.
    pub split_from: Vec<Parted>,
    /// Who waived it and why, if a waiver holds.
    pub waived: Option<(String, String)>,
}

/// A text that was merged into a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// Its key.
    pub key: Sha,
    /// Its canonical subject.
    pub subject: String,
    /// Runs of three words that it shares with the text that names the claim: |A∩B|.
    pub shared: usize,
    /// Runs that either has: |A∪B|.
    pub all: usize,
    /// The share that merges, p/q.
    pub threshold: Ratio,
    /// Whether the words alone merge it; else the round found it to be the same.
    pub is_near: bool,
}

impl Merge {
    /// Looks at a text that was merged into a claim.
    pub fn of(panel: &Panel, claim: &str, merged: &Merged) -> Self {
        let threshold = panel.policy.merge_threshold;
        let nearness = Nearness::of(claim, &merged.subject);
        let is_near = nearness.reaches(threshold) && !is_told_apart(claim, &merged.subject);
        let Nearness { shared, all } = nearness;
        Self { key: merged.key.clone(), subject: merged.subject.clone(), shared, all, threshold, is_near }
    }

    /// Says why it was merged, with the numbers.
    pub fn words(&self) -> String {
        let Self { shared, all, threshold, .. } = self;
        match self.is_near {
            true => format!("{shared}/{all} of runs shared, {}·{shared} ≥ {}·{all}", threshold.q(), threshold.p()),
            false => format!("the same in the round, {shared}/{all} of runs shared"),
        }
    }
}

/// A text that a human split from a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parted {
    /// Its key.
    pub key: Sha,
    /// Who split it off.
    pub by: String,
    /// Why.
    pub reason: String,
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

/// Returns the claim that a name means: a key, at least four hex digits of its start, "kind subject", a subject, or
/// "subject predicate" (`FR-001 reworded`).
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
    by_key()
        .or_else(by_prefix)
        .or_else(|| only(&|c| same(&c.title())))
        .or_else(|| only(&|c| same(&c.subject)))
        .or_else(|| only(&|c| same(&format!("{} {}", c.subject, c.predicate))))
}

/// Explains one claim of a panel's verdict. None if [`find`] finds none.
pub fn explain(panel: &Panel, verdict: &Verdict, name: &str) -> Option<Explanation> {
    let judged = find(verdict, name)?;
    let bench = Bench::seat(panel);
    let claims = gather(&bench);
    let i = claims.find(&judged.key)?;
    let tallies = claims.list.iter().map(|claim| tally(&bench, claim)).collect();
    let case = Case::open(bench, &claims, tallies);
    let (bench, claim, tally) = (&case.bench, &case.claims.list[i], &case.tallies[i]);
    let reckoning = reckon::of(bench, claim, tally);
    Some(Explanation {
        key: claim.key().clone(),
        kind: claim.kind,
        subject: claim.subject().to_owned(),
        predicate: claim.predicate.as_ref().to_owned(),
        severity: tally.severity,
        label: tally.label(),
        rule: reckoning.rule,
        sides: sides(bench, claim, tally),
        answered: tally.ballots.len(),
        silent: bench.ok.len().saturating_sub(tally.ballots.len()),
        comparison: reckoning.comparison,
        merged_from: judged.merged_from.iter().map(|merged| Merge::of(panel, claim.subject(), merged)).collect(),
        split_from: parted(panel, claim),
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

/// Returns what people split from a claim, each text once.
fn parted(panel: &Panel, claim: &Claim) -> Vec<Parted> {
    let is_own = |key: &Sha| claim.members().any(|member| member.key == *key);
    let mut parted: Vec<Parted> = Vec::new();
    for Split { pair: (a, b), by, reason } in &panel.splits {
        let other = match (is_own(a), is_own(b)) {
            (true, false) => b,
            (false, true) => a,
            (true, true) | (false, false) => continue,
        };
        if parted.iter().all(|known| known.key != *other) {
            parted.push(Parted { key: other.clone(), by: by.clone(), reason: reason.clone() });
        }
    }
    parted
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &str| Safe::line(text).to_string();
        let (subject, predicate) = (line(&self.subject), line(&self.predicate));
        writeln!(f, "{} {subject} · {predicate} · {} → {}", self.kind, self.severity, self.label)?;
        writeln!(f, "key        {}", self.key)?;
        for merged in &self.merged_from {
            writeln!(f, "merged     {} ({})", line(&merged.subject), merged.key)?;
            writeln!(f, "           {}", merged.words())?;
        }
        for Parted { key, by, reason } in &self.split_from {
            writeln!(f, "split      from {key} by {}: {}", line(by), line(reason))?;
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
        writeln!(f, "numbers    {}", self.comparison)?;
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
