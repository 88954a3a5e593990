//! A ballot as one agent reads it: the same items in the same order for all, and nobody's name.
//!
//! It must not know prompts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Ballot, Item, ROUND_SCHEMA, Side, Why, answer_schema};
use crate::domain::claim::Polarity;
use crate::domain::claim::lookup::Citation;
use crate::domain::ids::{AgentName, SpecId};
use crate::domain::spec::requirement_ids;
use crate::domain::stage::Stage;

impl Ballot {
    /// Writes the items: the same bytes for every agent.
    pub fn items(&self) -> Value {
        self.items.iter().map(item).collect()
    }

    /// Writes the block of schema [`ROUND_SCHEMA`] for one agent: besides the items only its own sides are marked,
    /// because a fresh process does not know what it said before.
    pub fn ask(&self, spec: &SpecId, stage: Stage, agent: &AgentName, attempt: u32) -> Value {
        json!({
            "schema": ROUND_SCHEMA,
            "spec_id": spec,
            "stage": stage,
            "agent": agent,
            "attempt": attempt,
            "items": self.items(),
            "yours": self.held_by(agent).map(|(item, side)| json!({"n": item.n, "side": side.n})).collect::<Vec<_>>(),
            "answer_schema": answer_schema(self.items.len()),
        })
    }

    /// Returns the sides that an agent holds, with their items.
    pub fn held_by(&self, agent: &AgentName) -> impl Iterator<Item = (&Item, &Side)> {
        let sides = self.items.iter().flat_map(|item| item.sides.iter().map(move |side| (item, side)));
        sides.filter(move |(_, side)| side.held_by.contains(agent))
    }

    /// Returns the ids of the requirements that the items are about, in order.
    pub fn requirements(&self) -> BTreeSet<String> {
        let ids = |item: &Item| {
            let named = requirement_ids(&item.subject.to_uppercase()).into_iter();
            named.chain(item.requirement.clone()).chain([item.subject.clone()])
        };
        self.items.iter().flat_map(ids).collect()
    }
}

fn item(item: &Item) -> Value {
    let mut out = json!({"n": item.n, "claim": item.claim, "sides": item.sides.iter().map(side).collect::<Vec<_>>()});
    if let (Why::PossibleConflict, Some(near)) = (item.why, item.near) {
        out["near"] = json!(near);
    }
    out
}

fn side(side: &Side) -> Value {
    json!({
        "n": side.n,
        "value": in_words(side),
        "because": side.because,
        "evidence": side.evidence.iter().map(cite).collect::<Vec<_>>(),
        "host": side.tier.word(),
    })
}

/// What a side says, with its sign: yes or no, a value, or not that value.
fn in_words(side: &Side) -> String {
    let value = side.says.value.to_string();
    match (side.says.polarity, value.as_str()) {
        (Polarity::Yes, _) => value,
        (Polarity::No, "yes") => "no".to_owned(),
        (Polarity::No, _) => format!("not {value}"),
    }
}

/// A citation as agents write it.
fn cite(citation: &Citation) -> Value {
    match citation {
        Citation::File { path, line: Some(line) } => json!({"file": path, "line": line}),
        Citation::File { path, line: None } => json!({"file": path}),
        Citation::Hunk { path, line: Some(line) } => json!({"hunk": {"file": path, "line": line}}),
        Citation::Hunk { path, line: None } => json!({"hunk": {"file": path}}),
        Citation::Symbol { symbol, path: Some(path) } => json!({"symbol": symbol, "path": path}),
        Citation::Symbol { symbol, path: None } => json!({"symbol": symbol}),
        Citation::Test { check: Some(check), id } => json!({"test": {"check": check, "id": id}}),
        Citation::Test { check: None, id } => json!({"test": {"id": id}}),
        Citation::Requirement { id } => json!({"requirement": id}),
    }
}
