//! The rules by which a panel decides, as they are configured.
//!
//! It must not know how a verdict is computed: the numbers' types and defaults are [`Policy`]'s.

use serde::{Deserialize, Serialize};

use crate::domain::consensus::Policy;
pub use crate::domain::consensus::policy::{BadRatio, Quorum, Ratio};

/// Whether the panel is asked about what stands open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Round {
    /// Once, when at least two families answered and something is open.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// How the panel's answers become a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consensus {
    /// The share of the voting families that must stand behind a value.
    pub agree: Ratio,
    /// How many families must have answered.
    pub quorum: Quorum,
    /// How alike two free texts must be to count as one claim.
    pub merge_threshold: Ratio,
    /// Whether there is a round.
    pub round: Round,
}

impl Default for Consensus {
    fn default() -> Self {
        let Policy { agree, quorum, merge_threshold, .. } = Policy::default();
        Self { agree, quorum, merge_threshold, round: Round::Auto }
    }
}

impl Consensus {
    /// Returns the thresholds, without any permission.
    pub fn policy(&self) -> Policy {
        Policy { agree: self.agree, quorum: self.quorum, merge_threshold: self.merge_threshold, ..Policy::default() }
    }
}

/// Rules of one stage. Unset: the verdict's own exit code is kept, and whether `auto` goes on is the stage's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StageRules {
    /// Whether a panel with a missing agent may advance with exit 0.
    pub allow_degraded: Option<bool>,
    /// Whether a verdict without a single checked claim may advance with exit 0.
    pub allow_hollow: Option<bool>,
}
