//! Consensus: a pure function from a panel to a verdict, the same bytes on every machine.
//!
//! ```text
//! panel ─canon─▶ keys ─merge─▶ claims ─tally─▶ labels ─ruling─▶ reasons ─▶ verdict
//! ```
//!
//! [`parse_panel`] reads and checks, [`decide`] computes, [`explain()`] shows the arithmetic of one claim. It must not
//! know files, clocks, floats or hash-map order, nor where assertions and tiers come from.

mod alone;
mod canon;
mod digest;
mod explain;
mod fold;
mod headline;
mod label;
mod marks;
mod merge;
mod near;
mod panel;
mod parse;
pub mod policy;
mod reason;
mod reckon;
mod ruling;
mod seal;
mod settled;
mod standing;
mod tally;
mod verdict;
mod waive;

pub use crate::domain::spec::Level;
pub use alone::{Alone, Difference, Help, helped};
pub use canon::{CHECKED_BY, Canon, Form, OUTCOME, quantity};
pub use digest::digest;
pub use explain::{Explanation, Merge, Parted, Side, Speaker, explain, find};
pub use headline::Call;
pub use label::{Label, Status};
pub use near::Nearness;
pub use panel::{
    Answer, Candidate, Choice, Inputs, Kept, PANEL_SCHEMA, Panel, Participant, Requirement, Split, Waiver,
};
pub use parse::{PanelError, parse_panel};
pub use policy::Policy;
pub use reason::{Reason, ReasonCode};
pub use reckon::{Reckoning, reckon};
pub use settled::settled;
pub use standing::{Holder, Standing, Standings, says, standing};
pub use verdict::{Artifact, Coverage, Decision, Dissent, Families, Judged, Merged, VERDICT_SCHEMA, Verdict, Vote};

use std::collections::BTreeMap;

use crate::domain::claim::Tier;
use crate::domain::hash::Sha;
use ruling::{Case, Findings};
use tally::{Bench, Claim, Tally};

/// Computes the verdict of a panel. It cannot fail: a panel that [`Panel::check`] would refuse still gets a verdict,
/// but one that nobody should rely on.
pub fn decide(panel: &Panel) -> Verdict {
    let bench = Bench::seat(panel);
    let claims = tally::gather(&bench);
    let tallies = claims.list.iter().map(|claim| tally::tally(&bench, claim)).collect();
    let (case, findings) = Case::open(bench, &claims, tallies).rule();
    let mut verdict = write(&case, findings);
    verdict.hash = verdict.computed_hash();
    verdict
}

fn write(case: &Case<'_>, findings: Findings) -> Verdict {
    let (bench, panel) = (&case.bench, case.bench.panel);
    let status = findings.keys().find_map(|code| code.status()).unwrap_or(Status::Agree);
    let is_allowed = match status {
        Status::Degraded => panel.policy.allow_degraded,
        Status::Hollow => panel.policy.allow_hollow,
        Status::Cancelled
        | Status::Infra
        | Status::Blocked
        | Status::Rejected
        | Status::Conflict
        | Status::NoQuorum
        | Status::AgreeWithDissent
        | Status::Agree => false,
    };
    let claims: Vec<Judged> = case.claims.list.iter().zip(&case.tallies).map(|(c, t)| judged(bench, c, t)).collect();
    let titles = |pick: fn(Label) -> bool| claims.iter().filter(|c| pick(c.label)).map(Judged::title).collect();
    let uncovered: Vec<String> = case.uncovered().cloned().collect();
    let absent = || bench.agents.iter().filter(|a| !a.is_ok());
    Verdict {
        schema: VERDICT_SCHEMA.to_owned(),
        spec_id: panel.spec_id.clone(),
        stage: panel.stage,
        recorded_at: None,
        prompt_version: panel.prompt_version.clone(),
        status,
        exit: if is_allowed { 0 } else { status.exit() },
        outcome: case.outcome(),
        consensus_ok: matches!(status, Status::Agree | Status::AgreeWithDissent),
        degraded: absent().next().is_some(),
        required_fields_ok: !absent().any(|a| a.status == Answer::Unparsed),
        missing_agents: absent().map(|a| a.name.clone()).collect(),
        agreements: titles(Label::is_decided),
        conflicts: titles(|label| label == Label::Conflict),
        reasons: reasons(bench, findings),
        coverage: Coverage { must: case.musts.len(), covered: case.musts.len() - uncovered.len(), uncovered },
        families: Families { expected: bench.expected.len(), ok: bench.ok.len() },
        inputs: panel.inputs.clone(),
        artifacts: bench.agents.iter().filter_map(|a| artifact(a)).collect(),
        claims,
        hash: Sha("".into()),
        published: BTreeMap::new(),
    }
}

fn reasons(bench: &Bench<'_>, findings: Findings) -> Vec<Reason> {
    let reason = |(code, named): (ReasonCode, ruling::Named)| Reason {
        code,
        agents: named.agents.into_iter().map(|i| bench.agents[i].name.clone()).collect(),
        claims: sorted(named.claims),
    };
    findings.into_iter().map(reason).collect()
}

/// Sorts keys, each once.
fn sorted(mut keys: Vec<Sha>) -> Vec<Sha> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn artifact(agent: &Participant) -> Option<Artifact> {
    let kept = agent.artifact.clone()?;
    Some(Artifact { agent: agent.name.clone(), path: kept.path, sha256: kept.sha256 })
}

fn judged(bench: &Bench<'_>, claim: &Claim, tally: &Tally<'_>) -> Judged {
    let vote = |ballot: &tally::Ballot<'_>| Vote {
        family: ballot.family.clone(),
        value: ballot.side.value.clone(),
        polarity: ballot.side.polarity,
        agents: tally.voters_of(ballot).iter().map(|&i| bench.agents[i].name.clone()).collect(),
    };
    let dissent = |said: &tally::Said| Dissent {
        agent: bench.agents[said.agent].name.clone(),
        value: said.side.value.clone(),
        polarity: said.side.polarity,
        severity: said.severity,
        tier: said.tier,
    };
    let mut dissents: Vec<Dissent> = tally.dissent().map(dissent).collect();
    dissents.sort();
    dissents.dedup();
    Judged {
        key: claim.key().clone(),
        kind: claim.kind,
        subject: claim.subject().to_owned(),
        predicate: claim.predicate.as_ref().to_owned(),
        label: tally.label(),
        value: tally.winner.as_ref().map(|side| side.value.clone()),
        polarity: tally.winner.as_ref().map(|side| side.polarity),
        tier: tier(claim, tally),
        severity: tally.severity,
        votes: tally.ballots.iter().map(vote).collect(),
        dissent: dissents,
        merged_from: claim.others.iter().map(|m| Merged { key: m.key.clone(), subject: m.subject.clone() }).collect(),
    }
}

/// Returns the highest tier of the winning side; of a claim that is struck altogether, how it was found false.
fn tier(claim: &Claim, tally: &Tally<'_>) -> Tier {
    match tally.label() {
        Label::Refuted => claim.said.iter().map(|s| s.tier).max().unwrap_or_default(),
        Label::Proven | Label::Agreed | Label::AgreedOver | Label::Conflict | Label::Single | Label::Hollow => {
            tally.tier()
        }
    }
}

#[cfg(test)]
mod tests;
