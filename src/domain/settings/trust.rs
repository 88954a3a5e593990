//! Whether what the repository's own config would run was approved.
//!
//! It must not know where approvals are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::safe::Safe;

/// Whether what the repository would run was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The repository asks to run nothing.
    Unneeded,
    /// Exactly this was approved.
    Approved(Proposal),
    /// Nothing was approved for this repository.
    Unapproved(Proposal),
    /// Something else was approved.
    Changed {
        /// What stands there now.
        proposal: Proposal,
        /// How it differs from what was approved last.
        diff: Vec<DiffLine>,
    },
}

/// What the repository would run, to be shown and approved by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The repository's canonical path, for people.
    pub repo: Safe,
    /// The hash of that path, for the store.
    pub repo_key: Sha,
    /// What is approved: the hash of the config's text and of the detected checks.
    pub hash: Sha,
    /// The text of `.dicast/config.toml`, if it is there and in use.
    pub config: Option<String>,
    /// The argv of the checks that were detected.
    pub checks: BTreeMap<String, Vec<String>>,
    /// Everything that would run or be reached, to be shown.
    pub items: Vec<TrustItem>,
}

/// One thing that the repository would run or reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustItem {
    /// What it is: `agent mine`, `MCP server memory`, `check cargo-test`.
    pub what: Safe,
    /// The program and its arguments.
    pub argv: Vec<Safe>,
    /// The variables set for it, as written: `$NAME` stands for one of ours.
    pub env: BTreeMap<Safe, Safe>,
    /// Which of our variables it would see.
    pub env_pass: Vec<Safe>,
    /// Who asks for it.
    pub source: TrustSource,
}

impl TrustItem {
    /// Returns everything that would run or be reached, and what it would see: nothing of it may be left out where it
    /// is approved.
    pub fn parts(&self) -> Vec<String> {
        let argv: Vec<&str> = self.argv.iter().map(Safe::as_str).collect();
        let mut parts = vec![argv.join(" ")];
        parts.extend(self.env.iter().map(|(name, value)| format!("with {name}={value}")));
        if !self.env_pass.is_empty() {
            let passed: Vec<&str> = self.env_pass.iter().map(Safe::as_str).collect();
            parts.push(format!("sees {}", passed.join(", ")));
        }
        parts
    }
}

/// Who asks for something to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustSource {
    /// The repository's config.
    Config,
    /// This program, because of the repository's build files.
    Detected,
}

/// A line that two versions of an approval do not share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffLine {
    /// It was approved and is gone.
    Removed(Safe),
    /// It is new.
    Added(Safe),
}

impl Trust {
    /// Returns what the repository would run, unless that is nothing.
    pub fn proposal(&self) -> Option<&Proposal> {
        match self {
            Trust::Unneeded => None,
            Trust::Approved(proposal) | Trust::Unapproved(proposal) | Trust::Changed { proposal, .. } => Some(proposal),
        }
    }

    /// Tells whether everything that the repository asks for may run.
    pub fn is_granted(&self) -> bool {
        match self {
            Trust::Unneeded | Trust::Approved(_) => true,
            Trust::Unapproved(_) | Trust::Changed { .. } => false,
        }
    }

    /// Returns the failure (exit 11) of a command that would run what the repository's config asks for. None when it
    /// is approved, and also when only detected checks are not: work goes on without those.
    pub fn refusal(&self) -> Option<Failure> {
        let (proposal, how) = match self {
            Trust::Unneeded | Trust::Approved(_) => return None,
            Trust::Unapproved(proposal) => (proposal, "was not approved"),
            Trust::Changed { proposal, .. } => (proposal, "was changed since it was approved"),
        };
        let asked = proposal.items.iter().filter(|item| item.source == TrustSource::Config).count();
        if asked == 0 {
            return None;
        }
        let things = if asked == 1 { "1 thing".into() } else { format!("{asked} things") };
        Some(Failure::BadInput {
            place: ".dicast/config.toml".into(),
            why: format!("it would run or reach {things} and {how}"),
            next: format!(
                "look at them with `dicast trust list`, then run `dicast trust approve`; in CI add --yes-trust {}",
                proposal.hash
            ),
            exit: 11,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(sources: &[TrustSource]) -> Proposal {
        let item = |source: &TrustSource| TrustItem {
            what: "x".into(),
            argv: vec![],
            env: BTreeMap::new(),
            env_pass: vec![],
            source: *source,
        };
        Proposal {
            repo: "/r".into(),
            repo_key: Sha::of("r"),
            hash: Sha::of("h"),
            config: None,
            checks: BTreeMap::new(),
            items: sources.iter().map(item).collect(),
        }
    }

    #[test]
    fn an_unapproved_config_is_refused_with_exit_11_and_its_hash() {
        use TrustSource::{Config, Detected};
        let refused = Trust::Unapproved(proposal(&[Config, Detected])).refusal().unwrap();
        assert_eq!(refused.exit(), 11);
        assert_eq!(refused.to_string(), ".dicast/config.toml: it would run or reach 1 thing and was not approved");
        assert!(refused.hint().ends_with(&format!("--yes-trust {}", Sha::of("h"))));
        let changed = Trust::Changed { proposal: proposal(&[Config, Config]), diff: vec![] };
        assert!(changed.refusal().unwrap().to_string().ends_with("2 things and was changed since it was approved"));
        assert_eq!(Trust::Unapproved(proposal(&[Detected])).refusal(), None);
        assert_eq!(Trust::Approved(proposal(&[Config])).refusal(), None);
        assert_eq!(Trust::Unneeded.refusal(), None);
    }
}
