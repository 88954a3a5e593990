//! Builds panels for the tables of this module's tests.

mod alone;
mod labels;
mod merging;
mod panels;
mod settled;
mod statuses;
mod verdicts;

use serde_json::{Value as Json, json};

use super::*;
use crate::domain::claim::Kind;

/// Builds panels as JSON, so that every test also goes through the parser.
#[derive(Clone)]
struct Build(Json);

fn panel(stage: &str) -> Build {
    Build(json!({"schema": PANEL_SCHEMA, "spec_id": "003-x", "stage": stage, "requirements": [], "agents": []}))
}

impl Build {
    fn must(mut self, id: &str) -> Self {
        self.push("requirements", json!({"id": id, "level": "must"}));
        self
    }
    /// Adds an agent whose family bears its name.
    fn agent(self, name: &str, claims: &[Json]) -> Self {
        self.member(name, name, "ok", claims)
    }
    fn member(mut self, name: &str, family: &str, status: &str, claims: &[Json]) -> Self {
        self.push("agents", json!({"name": name, "family": family, "status": status, "claims": claims}));
        self
    }
    fn host(mut self, claims: &[Json]) -> Self {
        self.push(
            "agents",
            json!({"name": "host", "family": "host", "voter": false, "status": "ok", "claims": claims}),
        );
        self
    }
    fn set(mut self, field: &str, value: Json) -> Self {
        self.0[field] = value;
        self
    }
    fn push(&mut self, list: &str, item: Json) {
        let mut items = self.0[list].as_array().cloned().unwrap_or_default();
        items.push(item);
        self.0[list] = Json::Array(items);
    }
    fn panel(&self) -> Panel {
        parse_panel(&self.0.to_string()).unwrap()
    }
    fn decide(&self) -> Verdict {
        decide(&self.panel())
    }
    fn refusal(&self) -> String {
        parse_panel(&self.0.to_string()).unwrap_err().to_string()
    }
    /// Signs a waiver of a key as it stands.
    fn waive(self, key: &Sha, choice: Option<(&str, i8)>) -> Self {
        let digest = digest(&self.panel(), key);
        let mut waiver = json!({"claim": key, "digest": digest, "by": "ann", "reason": "known"});
        if let Some((value, polarity)) = choice {
            waiver["choice"] = json!({"value": value, "polarity": polarity});
        }
        let mut built = self;
        built.push("waivers", waiver);
        built
    }
}

fn say(kind: &str, subject: &str, predicate: &str, value: &str, polarity: i8, severity: &str, tier: &str) -> Json {
    json!({"kind": kind, "subject": subject, "predicate": predicate, "value": value, "polarity": polarity,
           "severity": severity, "tier": tier})
}

fn covers(id: &str, tier: &str) -> Json {
    say("covers", id, "covered", "yes", 1, "major", tier)
}

fn denies(id: &str, severity: &str, tier: &str) -> Json {
    say("covers", id, "covered", "yes", -1, severity, tier)
}

fn answer(value: &str, severity: &str, tier: &str) -> Json {
    say("decision", "D-001", "answer", value, 1, severity, tier)
}

fn outcome(value: &str) -> Json {
    say("decision", "stage", "outcome", value, 1, "major", "E2")
}

fn risk(text: &str, severity: &str, tier: &str) -> Json {
    say("risk", text, "open", "yes", 1, severity, tier)
}

fn key_of(kind: Kind, subject: &str, predicate: &str) -> Sha {
    Canon::default().key(kind, subject, predicate)
}

fn codes(verdict: &Verdict) -> Vec<&'static str> {
    verdict.reasons.iter().map(|r| r.code.name()).collect()
}

/// Returns the one claim's label, winner and tier.
fn label(built: &Build) -> (&'static str, Option<String>, &'static str) {
    let verdict = built.decide();
    assert_eq!(verdict.claims.len(), 1, "one claim");
    let claim = &verdict.claims[0];
    (claim.label.name(), claim.value.as_ref().map(ToString::to_string), claim.tier.name())
}
