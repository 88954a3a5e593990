//! What a run tells programs (`--json`) and plain readers, in the order in which it became durable.
//!
//! The names are a contract: types may be added, never renamed.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::outcome::AskId;
use crate::domain::acp::{Answer, Weight};
use crate::domain::back::Back;
use crate::domain::budget::{dollars, tokens};
use crate::domain::candidate::{Landing, Place, Tried};
use crate::domain::claim::Severity;
use crate::domain::gate::{Checkpoint, Held, Issue, Magnitude};
use crate::domain::guardrail::Report;
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::merge::{Aside, Merge};
use crate::domain::moment::Moment;
use crate::domain::proposal::{Deed, Proposal, Rewritten};
use crate::domain::round::Changes;
use crate::domain::run::TurnKind;
use crate::domain::safe::Safe;
use crate::domain::server;
use crate::domain::stage::Stage;
use crate::domain::stream::Usage;

/// One event, without its sequence number: the printer counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// Of which run.
    pub run: Option<RunId>,
    /// Whose request it belongs to; nobody is told.
    #[serde(skip)]
    pub ask: Option<AskId>,
    /// What.
    pub what: What,
}

/// The schema of an event.
pub const EVENT_SCHEMA: &str = "dicast.event/1";

impl Event {
    /// Returns the event as a JSON object of the contract, without a sequence number: who writes lines counts them.
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = serde_json::json!({"schema": EVENT_SCHEMA, "at": self.at.rfc3339(), "run": self.run});
        if let (Some(object), Ok(serde_json::Value::Object(what))) =
            (object.as_object_mut(), serde_json::to_value(&self.what))
        {
            object.extend(what);
        }
        object
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum What {
    /// A run began, or goes on.
    #[serde(rename = "run.started")]
    RunStarted {
        /// Its spec.
        spec: SpecId,
        /// Its stages.
        stages: Vec<Stage>,
        /// Whether it goes on with an earlier one.
        resumed: bool,
    },
    /// A stage began.
    #[serde(rename = "stage.started")]
    StageStarted {
        /// Which.
        stage: Stage,
        /// Who sits.
        agents: Vec<AgentName>,
        /// How many notes of earlier runs they are told.
        #[serde(default, skip_serializing_if = "is_zero")]
        recalled: usize,
        /// The commits whose change is audited, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<String>,
        /// Who was left out by a person, each with its family.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
    },
    /// A person left a stage out.
    #[serde(rename = "stage.skipped")]
    StageSkipped {
        /// Which.
        stage: Stage,
        /// Why.
        reason: String,
    },
    /// Gates were held.
    #[serde(rename = "gate.held")]
    GateHeld {
        /// When in the run.
        checkpoint: Checkpoint,
        /// How many critical questions are open.
        critical: usize,
        /// How many important ones.
        important: usize,
        /// How many minor ones.
        minor: usize,
    },
    /// A gate asks a person, and the run does not go on without an answer.
    #[serde(rename = "gate.asked")]
    GateAsked {
        /// When in the run.
        checkpoint: Checkpoint,
        /// The question.
        issue: Box<Issue>,
        /// The command that answers it.
        next: String,
    },
    /// Guardrails were run.
    #[serde(rename = "guardrail.finished")]
    GuardrailFinished {
        /// What they came to.
        report: Arc<Report>,
        /// Whether nothing failed.
        passed: bool,
    },
    /// Candidates were tried: what the tests said of each, best first.
    #[serde(rename = "candidates.tried")]
    CandidatesTried {
        /// Stage.
        stage: Stage,
        /// What became of them.
        #[serde(flatten)]
        tried: Arc<Tried>,
    },
    /// A candidate is where it was to go, or was taken back from there.
    #[serde(rename = "candidate.landed")]
    CandidateLanded {
        /// Whose it is.
        agent: AgentName,
        /// Where it goes.
        place: Place,
        /// Its branch, if it went to one.
        #[serde(skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// Its commit, if it got one.
        #[serde(skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
        /// Whether it was taken back.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        undone: bool,
        /// The places of its hunks that were left out.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<Safe>,
        /// The places of hunks that were taken of other agents.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        also: Vec<Safe>,
        /// The places of hunks that were taken although no task asked for them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unasked: Vec<Safe>,
    },
    /// A document that a hand had edited was merged with what the stage decided.
    #[serde(rename = "document.merged")]
    DocumentMerged {
        /// Stage.
        stage: Stage,
        /// What stands there now, and what of the hand's.
        #[serde(flatten)]
        merge: Merge,
    },
    /// A document that a hand had edited stays as it is, and what the stage decided is beside it.
    #[serde(rename = "document.aside")]
    DocumentAside {
        /// Stage.
        stage: Stage,
        /// Which one, where ours is, and why.
        #[serde(flatten)]
        aside: Aside,
    },
    /// A stage did not pass, and the run goes back to an earlier one.
    #[serde(rename = "stage.back")]
    WentBack {
        /// The stage that did not pass.
        stage: Stage,
        /// The stage that is done again.
        to: Stage,
        /// Which try of it begins, from 2.
        #[serde(rename = "try")]
        nth: u32,
        /// What went wrong.
        why: Safe,
    },
    /// An agent is asked.
    #[serde(rename = "agent.started")]
    AgentStarted {
        /// Stage.
        stage: Stage,
        /// Who.
        agent: AgentName,
        /// Which try.
        attempt: u32,
        /// Whether it is played from a script.
        scripted: bool,
        /// What for, if it is not the stage's own question.
        #[serde(skip_serializing_if = "Option::is_none")]
        turn: Option<TurnKind>,
    },
    /// What an agent is doing; at most one a second each.
    #[serde(rename = "agent.progress")]
    AgentProgress {
        /// Stage.
        stage: Stage,
        /// Who.
        agent: AgentName,
        /// Its last line.
        doing: Safe,
        /// Bytes so far.
        bytes: u64,
    },
    /// A turn ended.
    #[serde(rename = "agent.finished")]
    AgentFinished {
        /// Stage.
        stage: Stage,
        /// Who.
        agent: AgentName,
        /// ok, or what it is counted as.
        status: String,
        /// Which try.
        attempt: u32,
        /// How long it took.
        duration_ms: u64,
        /// In words, if it did not answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// What to do about it, if it is not asked again by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// When it is asked again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_at: Option<String>,
        /// What for, if it was not the stage's own question.
        #[serde(skip_serializing_if = "Option::is_none")]
        turn: Option<TurnKind>,
        /// What it used, if it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tokens: Option<Tokens>,
        /// What was charged for it, in millionths of a USD, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost_micro_usd: Option<u64>,
    },
    /// The panel is asked once what stands open.
    #[serde(rename = "round.started")]
    RoundStarted {
        /// Stage.
        stage: Stage,
        /// How many items.
        items: usize,
        /// Who is asked: one of each family.
        agents: Vec<AgentName>,
    },
    /// The round is over, and the verdict counts it.
    #[serde(rename = "round.finished")]
    RoundFinished {
        /// Stage.
        stage: Stage,
        /// What it changed.
        changes: Changes,
    },
    /// A server changed its state.
    #[serde(rename = "server.changed")]
    ServerChanged {
        /// Its status.
        server: server::Status,
    },
    /// A claim has a label.
    #[serde(rename = "claim.labelled")]
    ClaimLabelled {
        /// Stage.
        stage: Stage,
        /// Its key.
        key: Sha,
        /// Its kind and subject.
        claim: String,
        /// The label.
        label: String,
        /// How much it matters.
        severity: Severity,
        /// Whether it can still change.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        provisional: bool,
        /// Whether no answer that is still out can change it, while it is provisional.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        settled: bool,
    },
    /// A stage has its verdict, and it is on disk.
    #[serde(rename = "stage.verdict")]
    StageVerdict {
        /// Stage.
        stage: Stage,
        /// Status by name.
        status: String,
        /// Exit code.
        exit: u8,
        /// Hash of the verdict.
        hash: Sha,
        /// Where it is, relative to the repository.
        path: String,
        /// In one sentence.
        why: String,
        /// Whether the panel helped; nothing where there was no panel.
        #[serde(skip_serializing_if = "Option::is_none")]
        panel_helped: Option<PanelHelped>,
        /// Dissents that stand open, in words: they are asked again at the next stage.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        carried: Vec<String>,
    },
    /// A text is proposed for the spec's document: it is on disk, and nothing of the spec is touched.
    #[serde(rename = "spec.proposed")]
    SpecProposed {
        /// The document, relative to the repository.
        file: String,
        /// Where the proposed text is.
        path: String,
        /// Where it is written what is proposed and why.
        #[serde(skip_serializing_if = "Option::is_none")]
        notes: Option<String>,
        /// Lines that would be new.
        added: usize,
        /// Lines that would be gone.
        removed: usize,
        /// What would change, as a unified diff; empty where nothing would.
        diff: String,
    },
    /// A person's word about what was proposed was carried out.
    #[serde(rename = "spec.rewritten")]
    SpecRewritten {
        /// The spec.
        spec: SpecId,
        /// The document, relative to the repository.
        file: String,
        /// What became of it.
        deed: Deed,
        /// By whom.
        by: String,
        /// Where the text before is kept, if something changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        backup: Option<String>,
        /// Lines that are new.
        added: usize,
        /// Lines that are gone.
        removed: usize,
        /// How many questions the clarify gate asks of it now.
        open: usize,
        /// How many of them no run goes on with.
        critical: usize,
        /// The gravest one, in words.
        #[serde(skip_serializing_if = "Option::is_none")]
        asks: Option<Safe>,
        /// The command that goes on.
        next: String,
    },
    /// Something that does not change the outcome.
    #[serde(rename = "warning")]
    Warning {
        /// In words.
        text: Safe,
    },
    /// The end; always the last line of a run.
    #[serde(rename = "run.finished")]
    RunFinished {
        /// The exit code.
        exit: u8,
        /// Status of each stage that was decided.
        verdicts: Vec<(Stage, String)>,
        /// The run's folder, relative to the repository.
        evidence: Option<String>,
        /// What became of the copies in memory.
        memory: String,
        /// What its turns used and what that cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Spent>,
        /// Why it ended early, and what to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<(String, String)>,
    },
}

/// Tokens that were used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Read, with those from a cache.
    pub input: u64,
    /// Of these, from a cache.
    pub cached: u64,
    /// Written.
    pub output: u64,
}

impl Tokens {
    /// Returns the tokens of a usage, if any are known.
    pub fn of(usage: Usage) -> Option<Self> {
        let Usage { input_tokens: input, cached_tokens: cached, output_tokens: output, cost_micro_usd: _ } = usage;
        (input > 0 || output > 0).then_some(Self { input, cached, output })
    }
}

/// What a run used, and who pays for it in another way than by a price that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Its tokens.
    pub tokens: Tokens,
    /// What was charged, in millionths of a USD, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
    /// Who is paid by a plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_plan: Vec<AgentName>,
    /// Of whom nobody can tell what they cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<AgentName>,
}

impl Spent {
    /// Writes what was used without who pays for it: `39.7k tokens · $0.35`.
    pub fn in_short(&self) -> String {
        let tokens = tokens(self.tokens.input + self.tokens.output);
        let cost = self.cost_micro_usd.map(|cost| format!(" · {}", dollars(cost))).unwrap_or_default();
        format!("{tokens} tokens{cost}")
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_short())?;
        for (names, how) in [(&self.on_plan, "on a plan"), (&self.unpriced, "unpriced")] {
            if !names.is_empty() {
                let names: Vec<&str> = names.iter().map(AgentName::as_str).collect();
                write!(f, " · {} {how}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

impl What {
    /// Returns the event of a candidate that landed, or was taken back.
    pub(super) fn landed(landing: &Landing, commit: Option<String>, undone: bool) -> Self {
        What::CandidateLanded {
            agent: landing.agent.clone(),
            place: landing.place,
            branch: (landing.place == Place::Branch).then(|| landing.branch.clone()),
            commit,
            undone,
            left_out: landing.left_out.clone(),
            also: landing.also.clone(),
            unasked: landing.unasked.clone(),
        }
    }

    /// Returns the event of a run that goes back.
    pub(super) fn went_back(back: &Back) -> Self {
        let (stage, to) = (Stage::Validate, Stage::Implement);
        What::WentBack { stage, to, nth: back.nth, why: back.why.clone() }
    }

    /// Returns the event of a request for permission that was answered.
    pub(super) fn permission(agent: &AgentName, weight: Weight, title: &Safe, answer: Answer, by: &str) -> Self {
        let text = format!("{agent} asked to {}: {title} · {} by {by}", weight.words(), answer.words());
        What::Warning { text: Safe::line(&text) }
    }

    /// Returns the event of a proposal that was read.
    pub fn proposed(proposal: &Proposal) -> Self {
        What::SpecProposed {
            file: proposal.file.clone(),
            path: proposal.path.clone(),
            notes: proposal.notes.clone(),
            added: proposal.change.added,
            removed: proposal.change.removed,
            diff: proposal.change.unified(&proposal.file),
        }
    }

    /// Returns the event of a person's word about a proposal.
    pub fn rewritten(rewritten: &Rewritten) -> Self {
        let held = &rewritten.held;
        What::SpecRewritten {
            spec: rewritten.spec.clone(),
            file: rewritten.file.clone(),
            deed: rewritten.deed,
            by: rewritten.by.clone(),
            backup: rewritten.backup.clone(),
            added: rewritten.change.added,
            removed: rewritten.change.removed,
            open: held.open().count(),
            critical: held.critical().count(),
            asks: held.open().next().map(|issue| issue.ask.clone()),
            next: match (rewritten.deed, held.open().next()) {
                (Deed::Restored, _) => format!("dicast specify {}", rewritten.spec),
                (Deed::Adopted | Deed::Already | Deed::Unchanged, Some(_)) => {
                    format!("dicast clarify {}", rewritten.spec)
                }
                (Deed::Adopted | Deed::Already | Deed::Unchanged, None) => format!("dicast plan {}", rewritten.spec),
            },
        }
    }

    /// Returns the event of held gates, with how many questions are open.
    pub(super) fn gate_held(checkpoint: Checkpoint, held: &Held) -> Self {
        What::GateHeld {
            checkpoint,
            critical: held.critical().count(),
            important: held.count(Magnitude::Important),
            minor: held.count(Magnitude::Minor),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Whether the best of the panel alone would have ended the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanelHelped {
    /// Whether it would not have.
    pub helped: bool,
    /// In one sentence.
    pub why: String,
}
