//! Makes the page of a spec from its verdicts and its ledger.
//!
//! It must not know any format: every text is plain.

use super::{Case, Kept, Mark, Page, Part, Recorded, Section, unasked};
use crate::domain::absent;
use crate::domain::agenda::{Topic, agenda};
use crate::domain::claim::derive::in_words;
use crate::domain::claim::{Severity, Tier};
use crate::domain::consensus::{Call, Choice, Decision, Judged, Panel, Reason, ReasonCode, Verdict};
use crate::domain::dissent::{asked, short, side};
use crate::domain::range::Ends;
use crate::domain::skip;
use crate::domain::spec::Spec;
use crate::domain::stage::Stage;

/// The columns of the table of claims.
const CLAIMS: &[&str] = &["Claim", "Result", "Decided", "Evidence", "For", "Against"];

/// The columns of the table of answers.
const ANSWERS: &[&str] = &["Agent", "Kept as", "sha256"];

/// The columns of the table of closed dissents.
const CLOSED: &[&str] = &["Claim", "Held", "Closed"];

/// Makes the page of a spec.
pub fn page(case: &Case<'_>) -> Page {
    let topics = agenda(case.spec, &[]);
    let (mark, sentence) = standing(case);
    let mut sections: Vec<Section> = case.stages.iter().map(|stage| of_stage(case.spec, &topics, stage)).collect();
    sections.push(dissent(case));
    Page {
        title: case.spec.title.clone(),
        about: format!("{} · report of {}", case.spec.id, case.at.rfc3339()),
        mark,
        sentence,
        sections,
    }
}

impl Recorded<'_> {
    fn stage(&self) -> Stage {
        match self {
            Recorded::Read { verdict, .. } => verdict.stage,
            Recorded::Unreadable { stage, .. } => *stage,
        }
    }

    fn mark(&self) -> Mark {
        match self {
            Recorded::Read { changed: Some(_), .. } => Mark::Stale,
            Recorded::Read { verdict, changed: None, .. } => Mark::Call(verdict.call()),
            Recorded::Unreadable { .. } => Mark::Call(Call::Stop),
        }
    }
}

/// Says where the spec stands: at the first stage that does not let it pass.
fn standing(case: &Case<'_>) -> (Mark, String) {
    let held = case.stages.iter().find(|stage| stage.mark() != Mark::Call(Call::Pass));
    if let Some(stage) = held {
        let why = match stage {
            Recorded::Unreadable { why, .. } => format!("the verdict cannot be read: {why}"),
            Recorded::Read { changed: Some(changed), .. } => changed.clone(),
            Recorded::Read { verdict, changed: None, .. } => verdict.why(),
        };
        return (stage.mark(), format!("{}: {why}", stage.stage()));
    }
    let last = case.stages.last().map(Recorded::stage);
    let next = Stage::ALL.into_iter().find(|stage| Some(*stage) > last);
    let sentence = match (last, next) {
        (Some(_), None) => "every stage that was recorded passes, unlock included".to_owned(),
        (Some(last), Some(next)) => format!("up to {last}; the next stage is {next}"),
        (None, _) => "nothing is recorded".to_owned(),
    };
    (Mark::Call(Call::Pass), sentence)
}

fn of_stage(spec: &Spec, topics: &[Topic], recorded: &Recorded<'_>) -> Section {
    let stage = recorded.stage();
    let (title, parts) = match recorded {
        Recorded::Unreadable { why, .. } => (
            format!("{stage}: unreadable"),
            vec![Part::Line(format!("The recorded verdict cannot be read, so nothing can be said of it: {why}."))],
        ),
        Recorded::Read { verdict, path, changed, kept } => {
            let mut parts = vec![Part::Facts(facts(spec, verdict, path, changed.as_deref(), kept))];
            parts.extend(claims((spec, topics), verdict, kept));
            if let Kept::Here { tried: Some(tried), landing, .. } = kept {
                parts.extend(unasked::told(tried, landing.as_deref()));
            }
            parts.extend(answers(verdict));
            (format!("{stage}: {} (exit {})", verdict.status.words(), verdict.exit), parts)
        }
    };
    Section { anchor: stage.name(), mark: Some(recorded.mark()), title, parts }
}

fn facts(
    spec: &Spec,
    verdict: &Verdict,
    path: &str,
    changed: Option<&str>,
    kept: &Kept,
) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Why", verdict.why())];
    // What the first reason says is the why already; what was struck is told word by word below.
    let told = |reason: &&Reason| !is_charge(reason) || !matches!(kept, Kept::Here { .. });
    let others = verdict.reasons.iter().skip(usize::from(verdict.reasons.first().is_some_and(is_deciding)));
    facts.extend(others.filter(told).map(|reason| ("Also", verdict.told(reason))));
    facts.push(match changed {
        Some(changed) => ("Stale", format!("{changed}: this is about something else than what is there now")),
        None => ("Current", "what was judged is what is there now".to_owned()),
    });
    match verdict.outcome {
        Decision::Pass => facts.push(("Outcome", "pass".to_owned())),
        Decision::Fail => facts.push(("Outcome", "fail".to_owned())),
        Decision::None => {}
    }
    let left_out = skip::of(&verdict.inputs).into_iter();
    facts.extend(left_out.map(|(stage, reason)| ("Left out", format!("{stage}, before this: {reason}"))));
    let absent = absent::of(&verdict.inputs);
    if !absent.is_empty() {
        facts.push(("Not asked", format!("{}: left out of this run by a person", absent.join(", "))));
    }
    if let Some(coverage) = verdict.covered() {
        facts.push(("Covered", format!("{} of {} must-requirements", coverage.covered, coverage.must)));
        if !coverage.uncovered.is_empty() {
            facts.push(("Not covered", coverage.uncovered.join(", ")));
        }
    }
    facts.push(("Families", format!("{} of {} answered", verdict.families.ok, verdict.families.expected)));
    match kept {
        Kept::Here { panel, .. } => by_whom(panel, verdict, &mut facts),
        Kept::Elsewhere | Kept::Broken(_) if verdict.missing_agents.is_empty() => {}
        Kept::Elsewhere | Kept::Broken(_) => facts.push(("Missing", names(&verdict.missing_agents))),
    }
    facts.push(("Evidence", found(kept)));
    let inputs = &verdict.inputs;
    let judged = [
        inputs.spec_sha256.as_ref().map(|sha| format!("spec {}", short(sha))),
        inputs.commit.as_ref().map(|commit| format!("commit {commit}")),
        inputs.tree.as_ref().map(|tree| format!("tree {tree}")),
    ];
    if let Some(ends) = Ends::of(inputs) {
        facts.push(("Range", ends.revisions()));
    }
    facts.push(("Judged", judged.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    let recorded = verdict.recorded_at.as_deref().unwrap_or("at an unknown time");
    facts.push(("Recorded", format!("{recorded} in {path}, hash {}", verdict.hash)));
    facts.push(("Check it", format!("dicast consensus {} {}", spec.id, verdict.stage)));
    facts.retain(|(_, words)| !words.is_empty());
    facts
}

fn is_deciding(reason: &Reason) -> bool {
    reason.code.status().is_some()
}

fn is_charge(reason: &Reason) -> bool {
    matches!(reason.code, ReasonCode::PhantomCompletion | ReasonCode::RanFalse)
}

/// Tells who was asked, what of their words was found false, and what people took on themselves.
fn by_whom(panel: &Panel, verdict: &Verdict, facts: &mut Vec<(&'static str, String)>) {
    let asked = panel.agents.iter().filter(|agent| agent.voter);
    facts.extend(asked.map(|agent| ("Asked", format!("{} ({}) {}", agent.name, agent.family, agent.status.words()))));
    for agent in &panel.agents {
        let struck = agent.claims.iter().filter(|claim| claim.tier.is_false());
        facts.extend(struck.map(|claim| {
            // It need not be untrue for that: somebody else may say the same, and have looked.
            let how =
                if claim.tier == Tier::E3False { "a run that failed" } else { "what was looked up and is not so" };
            ("False", format!("{} said {} on the strength of {how}", agent.name, in_words(claim, &[])))
        }));
    }
    for waiver in &panel.waivers {
        let claim = verdict.claims.iter().find(|claim| claim.key == waiver.claim);
        let what = claim.map_or_else(|| short(&waiver.claim), Judged::title);
        let took =
            waiver.choice.as_ref().map_or_else(|| "waived".to_owned(), |choice| format!("chose {}", side(choice)));
        facts.push(("A person", format!("{} {took} ({what}): {}", waiver.by, waiver.reason)));
    }
}

fn found(kept: &Kept) -> String {
    match kept {
        Kept::Here { run, .. } => format!("run {run}, kept here"),
        Kept::Elsewhere => "not here: it is on another machine, or was removed".to_owned(),
        Kept::Broken(why) => format!("cannot be read: {why}"),
    }
}

fn names(agents: &[impl ToString]) -> String {
    agents.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Tells every claim that can move a status, what stands open first.
fn claims((spec, topics): (&Spec, &[Topic]), verdict: &Verdict, kept: &Kept) -> Vec<Part> {
    let mut told: Vec<&Judged> = verdict.claims.iter().filter(|claim| claim.severity > Severity::Info).collect();
    let remarks = verdict.claims.len() - told.len();
    told.sort_by_key(|claim| (claim.label.attention(), claim.title()));
    let rows: Vec<Vec<String>> = told.iter().map(|claim| row(spec, topics, claim, kept)).collect();
    let mut parts = Vec::new();
    if !rows.is_empty() {
        parts.push(Part::Heading("What was decided".to_owned()));
        parts.push(Part::Table { heads: CLAIMS, rows });
    }
    if remarks > 0 {
        let several = if remarks == 1 { "claim" } else { "claims" };
        parts.push(Part::Line(format!("{remarks} more {several} of severity info, which decide nothing.")));
    }
    parts
}

fn row(spec: &Spec, topics: &[Topic], claim: &Judged, kept: &Kept) -> Vec<String> {
    let quote = match kept {
        Kept::Here { cited, .. } => cited.quote(claim),
        Kept::Elsewhere | Kept::Broken(_) => String::new(),
    };
    let evidence =
        if quote.is_empty() { claim.tier.word().to_owned() } else { format!("{}: {quote}", claim.tier.word()) };
    let winner =
        claim.value.as_ref().zip(claim.polarity).map(|(value, polarity)| Choice { value: value.clone(), polarity });
    let votes = claim.votes.iter().map(|vote| {
        let choice = Choice { value: vote.value.clone(), polarity: vote.polarity };
        let agents = names(&vote.agents);
        let is_for = winner.as_ref().is_none_or(|winner| *winner == choice);
        is_for.then(|| if winner.is_some() { agents } else { format!("{agents}: {}", side(&choice)) })
    });
    let dissent = claim.dissent.iter().map(|dissent| {
        let said = Choice { value: dissent.value.clone(), polarity: dissent.polarity };
        format!("{}: {} ({}, {})", dissent.agent, side(&said), dissent.severity, dissent.tier.word())
    });
    vec![
        asked(spec, topics, claim),
        claim.label.words().to_owned(),
        winner.as_ref().map_or_else(|| "nothing".to_owned(), side),
        evidence,
        votes.flatten().collect::<Vec<_>>().join(", "),
        dissent.collect::<Vec<_>>().join("; "),
    ]
}

/// Tells which answers were judged, so that each can be found in the evidence.
fn answers(verdict: &Verdict) -> Vec<Part> {
    if verdict.artifacts.is_empty() {
        return Vec::new();
    }
    let rows =
        verdict.artifacts.iter().map(|kept| vec![kept.agent.to_string(), kept.path.clone(), kept.sha256.to_string()]);
    vec![Part::Heading("Answers that were judged".to_owned()), Part::Table { heads: ANSWERS, rows: rows.collect() }]
}

/// Tells the ledger: what stands open at length, what was closed in a line.
fn dissent(case: &Case<'_>) -> Section {
    let (open, closed): (Vec<_>, Vec<_>) = case.ledger.dissents.iter().partition(|dissent| dissent.closed.is_none());
    let mut parts = Vec::new();
    for dissent in &open {
        parts.push(Part::Heading(dissent.claim.clone()));
        parts.push(Part::Facts(dissent.at_length()));
    }
    if !closed.is_empty() {
        let rows = closed.iter().map(|dissent| {
            vec![dissent.claim.clone(), format!("{}: {}", dissent.agent, side(&dissent.said)), dissent.state()]
        });
        parts.push(Part::Heading("Closed".to_owned()));
        parts.push(Part::Table { heads: CLOSED, rows: rows.collect() });
    }
    for condition in &case.ledger.conditions {
        parts.push(Part::Heading("Condition".to_owned()));
        parts.push(Part::Facts(condition.at_length()));
    }
    for parted in &case.ledger.splits {
        parts.push(Part::Heading("Split by a person".to_owned()));
        parts.push(Part::Facts(parted.at_length()));
    }
    let title = match open.len() {
        0 => "No dissent stands".to_owned(),
        1 => "1 dissent stands".to_owned(),
        n => format!("{n} dissents stand"),
    };
    Section { anchor: "dissent", mark: None, title, parts }
}
