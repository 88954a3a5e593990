//! What a stage publishes: plan.md and tasks.md in github/spec-kit's headings and line format, and
//! `review/<stage>.md` for validate, audit and unlock.
//!
//! The base is the draft with most agreed claims. The host adds agreed things that it lacks beside their requirement,
//! strikes what is false, marks each open conflict **OPEN** once with both sides, and says who supports what. It must
//! not know files: merging with what a human edited is for whoever writes. The same inputs give the same bytes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::agenda::Topic;
use super::artifact::{Artifact, Body};
use super::claim::Tier;
use super::consensus::{Panel, Verdict};
use super::hash::{Sha, canonical};
use super::ids::AgentName;
use super::spec::Spec;
use super::stage::Stage;

mod draft;
mod items;
mod lists;
mod order;
mod plan;
mod review;
mod voices;
mod words;

use voices::Voices;

/// What documents are made of.
#[derive(Debug, Clone, Copy)]
pub struct DocumentInputs<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// The agenda that was asked.
    pub agenda: &'a [Topic],
    /// What was decided.
    pub verdict: &'a Verdict,
    /// What it was decided on.
    pub panel: &'a Panel,
    /// The spec's document, where it is what is drafted or revised.
    pub text: Option<&'a str>,
    /// The answers of those who are ok.
    pub artifacts: &'a BTreeMap<AgentName, Artifact>,
}

/// Writes a stage's documents: path relative to the repository, and text. None where no draft of the stage is there,
/// or the stage publishes none (implement).
pub fn render(stage: Stage, inputs: &DocumentInputs<'_>) -> Vec<(String, String)> {
    let drafts = ranked(inputs);
    if drafts.is_empty() {
        return Vec::new();
    }
    let desk = Desk { inputs: *inputs, voices: Voices::of(inputs.panel, inputs.verdict), drafts };
    let dir = inputs.spec.own.trim_end_matches('/');
    match stage {
        Stage::Specify => draft::documents(&desk),
        Stage::Plan => vec![(format!("{dir}/plan.md"), plan::plan(&desk))],
        Stage::Tasks => vec![(format!("{dir}/tasks.md"), plan::tasks(&desk))],
        Stage::Implement => Vec::new(),
        Stage::Validate | Stage::Audit | Stage::Unlock => {
            vec![(format!("{dir}/review/{stage}.md"), review::review(stage, &desk))]
        }
    }
}

/// What every document is written from.
struct Desk<'a> {
    inputs: DocumentInputs<'a>,
    voices: Voices<'a>,
    /// Best first: the first is the base. Never empty.
    drafts: Vec<(&'a AgentName, &'a Artifact)>,
}

impl<'a> Desk<'a> {
    /// The draft that the document follows.
    fn base(&self) -> (&'a AgentName, &'a Artifact) {
        self.drafts[0]
    }
}

/// Orders the drafts of voters who are ok: most agreed claims first, then most claims that the host has seen, then the
/// shorter canonical body, then its hash.
fn ranked<'a>(inputs: &DocumentInputs<'a>) -> Vec<(&'a AgentName, &'a Artifact)> {
    let stage = inputs.verdict.stage;
    let mut drafts: Vec<_> = inputs
        .panel
        .agents
        .iter()
        .filter(|agent| agent.voter && agent.is_ok())
        .filter_map(|agent| {
            let (name, artifact) = inputs.artifacts.get_key_value(&agent.name)?;
            (artifact.body.stage() == stage).then(|| {
                let seen = agent.claims.iter().filter(|claim| claim.tier >= Tier::E2).count();
                let body = canonical_body(artifact);
                let rank = (Reverse(agreed(inputs.verdict, name)), Reverse(seen), body.len(), Sha::of(&body));
                // Two equal drafts: the name decides, so that the order of arrival never does.
                (rank, name, artifact)
            })
        })
        .collect();
    drafts.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    drafts.into_iter().map(|(_, name, artifact)| (name, artifact)).collect()
}

/// Counts the decided claims whose winning side an agent is on.
fn agreed(verdict: &Verdict, agent: &AgentName) -> usize {
    let is_with = |claim: &&super::consensus::Judged| {
        claim.label.is_decided()
            && claim.votes.iter().any(|vote| {
                Some(&vote.value) == claim.value.as_ref()
                    && Some(vote.polarity) == claim.polarity
                    && vote.agents.contains(agent)
            })
    };
    verdict.claims.iter().filter(is_with).count()
}

fn canonical_body(artifact: &Artifact) -> String {
    let text = match &artifact.body {
        Body::Specify(body) => canonical(body),
        Body::Plan(body) => canonical(body),
        Body::Tasks(body) => canonical(body),
        Body::Implement(body) => canonical(body),
        Body::Validate(body) => canonical(body),
        Body::Audit(body) => canonical(body),
        Body::Unlock(body) => canonical(body),
    };
    // Bodies hold texts, integers and booleans only, so they always have a canonical writing.
    text.unwrap_or_default()
}
