//! The rules by which a panel decides.
//!
//! It must not know how a verdict is computed: these are the numbers it is given.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A share between 0 (not included) and 1, as two integers: floats are not the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ratio {
    p: NonZeroU32,
    q: NonZeroU32,
}

/// Largest number in a ratio, so that products with counts of families stay far from overflow.
const RATIO_MAX: u32 = 1_000;

/// A text that is no ratio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write two whole numbers \"p/q\" with 1 <= p <= q <= 1000, for example \"2/3\"")]
pub struct BadRatio;

impl Ratio {
    /// Makes `p`/`q`; none unless 1 ≤ p ≤ q ≤ 1000.
    pub const fn new(p: u32, q: u32) -> Option<Self> {
        match (NonZeroU32::new(p), NonZeroU32::new(q)) {
            (Some(some_p), Some(some_q)) if p <= q && q <= RATIO_MAX => Some(Self { p: some_p, q: some_q }),
            _ => None,
        }
    }

    /// Returns the upper number.
    pub fn p(self) -> u32 {
        self.p.get()
    }

    /// Returns the lower number.
    pub fn q(self) -> u32 {
        self.q.get()
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.p, self.q)
    }
}

impl FromStr for Ratio {
    type Err = BadRatio;
    fn from_str(text: &str) -> Result<Self, BadRatio> {
        let number = |digits: &str| -> Option<u32> {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            if plain { digits.parse().ok() } else { None }
        };
        let (p, q) = text.split_once('/').ok_or(BadRatio)?;
        match (number(p), number(q)) {
            (Some(p), Some(q)) => Ratio::new(p, q).ok_or(BadRatio),
            (_, _) => Err(BadRatio),
        }
    }
}

impl TryFrom<String> for Ratio {
    type Error = BadRatio;
    fn try_from(text: String) -> Result<Self, BadRatio> {
        text.parse()
    }
}

impl From<Ratio> for String {
    fn from(ratio: Ratio) -> String {
        ratio.to_string()
    }
}

/// How many families must have answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Quorum {
    /// This share of the expected families, and at least two.
    Share(Ratio),
    /// One family is enough (plan, tasks and implement only).
    Solo,
}

impl TryFrom<String> for Quorum {
    type Error = BadRatio;
    fn try_from(text: String) -> Result<Self, BadRatio> {
        if text == "solo" { Ok(Quorum::Solo) } else { text.parse().map(Quorum::Share) }
    }
}

impl From<Quorum> for String {
    fn from(quorum: Quorum) -> String {
        match quorum {
            Quorum::Share(ratio) => ratio.to_string(),
            Quorum::Solo => "solo".into(),
        }
    }
}

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

/// A ratio that is written in this file; the compiler checks it.
const fn known(p: u32, q: u32) -> Ratio {
    match Ratio::new(p, q) {
        Some(ratio) => ratio,
        None => Ratio { p: NonZeroU32::MIN, q: NonZeroU32::MIN },
    }
}

impl Default for Consensus {
    fn default() -> Self {
        Self {
            agree: known(2, 3),
            quorum: Quorum::Share(known(2, 3)),
            merge_threshold: known(6, 10),
            round: Round::Auto,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_two_small_whole_numbers() {
        for good in ["2/3", "1/1", "6/10", "1000/1000"] {
            assert_eq!(good.parse::<Ratio>().map(|r| r.to_string()), Ok(good.to_owned()));
        }
        for bad in
            ["", "2", "/", "2/", "/3", "0/3", "3/2", "1/0", "+1/2", "1/1001", "1/2/3", " 1/2", "1.0/2", "0.5", "٢/3"]
        {
            assert_eq!(bad.parse::<Ratio>(), Err(BadRatio), "{bad:?}");
        }
        assert_eq!(Quorum::try_from("solo".to_owned()), Ok(Quorum::Solo));
        assert_eq!(Quorum::try_from("Solo".to_owned()), Err(BadRatio));
    }

    #[test]
    fn the_default_ratios_are_the_documented_ones() {
        let rules = Consensus::default();
        let written = (rules.agree.to_string(), String::from(rules.quorum), rules.merge_threshold.to_string());
        assert_eq!(written, ("2/3".into(), "2/3".into(), "6/10".into()));
    }
}
