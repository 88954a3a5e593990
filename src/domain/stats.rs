//! What each agent did at each stage over many runs: how often it answered, how long that took, what it used, what of it
//! was false, and how often it was on the side that won. From journals and verdicts alone.
//!
//! It must not know where they are kept.

use std::collections::BTreeMap;

use super::claim::Severity;
use super::consensus::{Judged, Label, ReasonCode, Verdict};
use super::failure::AgentError;
use super::ids::AgentName;
use super::journal::Record;
use super::stage::Stage;
use super::stream::Usage;

/// What one agent did at one stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    /// Runs in which it was asked.
    pub runs: u64,
    /// Whether any of that was played from a script.
    pub scripted: bool,
    /// Turns that ended with a valid answer.
    pub ok: u64,
    /// Turns that did not, by the name of the error.
    pub failed: BTreeMap<String, u64>,
    /// How long the answers took, in milliseconds, ascending.
    took_ms: Vec<u64>,
    /// What all its turns used, also those of the round.
    pub used: Usage,
    /// Its assertions that the host looked up or ran and found false.
    pub struck: u64,
    /// Decided claims that it voted on.
    pub voted: u64,
    /// Of these, how often it was on the side that won.
    pub won: u64,
}

impl Work {
    /// Returns how long so many percent of its answers took at most, in milliseconds (nearest rank); `None` where none
    /// was timed.
    pub fn took_ms(&self, percent: usize) -> Option<u64> {
        let rank = (self.took_ms.len() * percent).div_ceil(100).max(1);
        self.took_ms.get(rank - 1).copied()
    }

    /// Returns how many turns did not end with a valid answer.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// What every agent did at every stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// By agent and stage.
    pub work: BTreeMap<(AgentName, Stage), Work>,
    /// Runs that were counted.
    pub runs: u64,
}

impl Stats {
    /// Counts a run: its records, and the verdicts that it ended with.
    pub fn add<'r>(&mut self, records: impl IntoIterator<Item = &'r Record>, verdicts: &[Verdict]) {
        self.runs += 1;
        let mut sat: BTreeMap<(AgentName, Stage), bool> = BTreeMap::new();
        for record in records {
            if let Record::StageOpened { stage, seats, .. } = record {
                for seat in seats {
                    *sat.entry((seat.agent.clone(), *stage)).or_default() |= seat.scripted;
                }
            } else if let Record::AgentAnswered { stage, agent, took_ms, source, .. } = record {
                let work = self.of(agent, *stage);
                work.ok += 1;
                // Whoever answers elsewhere took a time that nobody measured.
                if source.is_none() {
                    let at = work.took_ms.partition_point(|before| before <= took_ms);
                    work.took_ms.insert(at, *took_ms);
                }
            } else if let Record::AgentFailed { stage, agent, error, .. } = record {
                *self.of(agent, *stage).failed.entry(kind(error)).or_default() += 1;
            }
            if let Some((stage, agent, used)) = record.used() {
                let work = self.of(agent, stage);
                work.used = work.used.plus(used);
            }
        }
        for ((agent, stage), scripted) in sat {
            let work = self.of(&agent, stage);
            work.runs += 1;
            work.scripted |= scripted;
        }
        verdicts.iter().for_each(|verdict| self.judged(verdict));
    }

    fn of(&mut self, agent: &AgentName, stage: Stage) -> &mut Work {
        self.work.entry((agent.clone(), stage)).or_default()
    }

    fn judged(&mut self, verdict: &Verdict) {
        let is_charge = |code| matches!(code, ReasonCode::PhantomCompletion | ReasonCode::RanFalse);
        for reason in verdict.reasons.iter().filter(|reason| is_charge(reason.code)) {
            for agent in &reason.agents {
                self.of(agent, verdict.stage).struck += reason.claims.len() as u64;
            }
        }
        for claim in verdict.claims.iter().filter(|claim| is_decided(claim)) {
            for vote in &claim.votes {
                let has_won = Some(&vote.value) == claim.value.as_ref() && Some(vote.polarity) == claim.polarity;
                for agent in &vote.agents {
                    let work = self.of(agent, verdict.stage);
                    work.voted += 1;
                    work.won += u64::from(has_won);
                }
            }
        }
    }
}

/// Tells whether a claim has a side that won and weighs anything.
fn is_decided(claim: &Judged) -> bool {
    let has_label = matches!(claim.label, Label::Proven | Label::Agreed | Label::AgreedOver);
    has_label && claim.value.is_some() && claim.severity > Severity::Info
}

/// Returns the name of an error as the journal has it.
fn kind(error: &AgentError) -> String {
    let told = serde_json::to_value(error).ok();
    let name = told.as_ref().and_then(|told| told["error"].as_str());
    name.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::consensus::decide;
    use crate::domain::consensus::parse_panel;

    fn record(value: serde_json::Value) -> Record {
        serde_json::from_value(value).unwrap()
    }

    fn opened(scripted: bool) -> Record {
        let file = json!({"path": "x", "sha256": crate::domain::hash::Sha::of("x"), "bytes": 1});
        let seat = |name: &str| json!({"agent": name, "family": name, "scripted": scripted, "external": false});
        record(json!({"type": "stage_opened", "stage": "plan", "seats": [seat("ada"), seat("bob")], "inputs": file,
            "prompts": []}))
    }

    fn answered(agent: &str, took_ms: u64, tokens: u64) -> Record {
        let file = json!({"path": "x", "sha256": crate::domain::hash::Sha::of("x"), "bytes": 1});
        record(json!({"type": "agent_answered", "stage": "plan", "agent": agent, "attempt": 1, "artifact": file,
            "raw": file, "took_ms": took_ms, "usage": {"input_tokens": tokens, "output_tokens": 1}}))
    }

    fn failed(agent: &str, error: serde_json::Value) -> Record {
        record(json!({"type": "agent_failed", "stage": "plan", "agent": agent, "attempt": 1, "kind": "draft",
            "error": error, "raw": null, "retry_at": null}))
    }

    fn of<'s>(stats: &'s Stats, agent: &str) -> &'s Work {
        &stats.work[&(AgentName::new(agent).unwrap(), Stage::Plan)]
    }

    #[test]
    fn turns_are_counted_by_how_they_ended_and_timed_by_nearest_rank() {
        let mut stats = Stats::default();
        let late = json!({"error": "timeout", "which": "idle", "after_ms": 5});
        let first = [opened(false), answered("ada", 30, 5), failed("bob", late), answered("bob", 9, 7)];
        stats.add(&first, &[]);
        stats.add(&[opened(true), answered("ada", 10, 5), answered("ada", 20, 5)], &[]);
        let ada = of(&stats, "ada");
        assert_eq!((stats.runs, ada.runs, ada.ok, ada.failures(), ada.scripted), (2, 2, 3, 0, true));
        assert_eq!((ada.took_ms(50), ada.took_ms(90), ada.used.input_tokens), (Some(20), Some(30), 15));
        let bob = of(&stats, "bob");
        assert_eq!((bob.runs, bob.ok, bob.failed.clone()), (2, 1, BTreeMap::from([("timeout".to_owned(), 1)])));
        assert_eq!(Work::default().took_ms(50), None);
    }

    #[test]
    fn who_won_and_whose_words_were_false_stands_in_the_verdict() {
        let says = |value: &str, tier: &str| {
            json!([{"kind": "covers", "subject": "FR-001", "predicate": "covered", "value": value, "polarity": 1,
                "severity": "major", "tier": tier}])
        };
        let mut agents: Vec<serde_json::Value> = ["ada", "bob", "cy", "dan"]
            .map(|name| json!({"name": name, "family": name, "status": "ok", "claims": says("yes", "E2")}))
            .into();
        agents[2]["claims"] = says("no", "E0");
        agents[3]["claims"] = says("yes", "E-");
        let panel = json!({"schema": "dicast.panel/1", "spec_id": "001-x", "stage": "plan",
            "requirements": [{"id": "FR-001", "level": "must"}], "agents": agents});
        let verdict = decide(&parse_panel(&panel.to_string()).unwrap());
        let mut stats = Stats::default();
        stats.add([], &[verdict]);
        let told = ["ada", "bob", "cy"].map(|name| (of(&stats, name).voted, of(&stats, name).won));
        assert_eq!(told, [(1, 1), (1, 1), (1, 0)]);
        assert_eq!((of(&stats, "dan").struck, of(&stats, "dan").voted), (1, 0), "what is false is no vote");
    }
}
