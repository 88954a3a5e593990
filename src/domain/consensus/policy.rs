//! The thresholds a verdict is computed with, as integers.
//!
//! It must not know what they are applied to.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use crate::domain::stage::Stage;

/// Largest denominator accepted: products of counts and thresholds then stay far inside 64 bits.
const DENOMINATOR_MAX: u32 = 1_000_000;

/// A share `p/q` with 1 ≤ p ≤ q, compared by cross-multiplication and never as a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ratio {
    p: u32,
    q: u32,
}

/// Why a text is no ratio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a share: write two integers as \"2/3\", from above 0 up to 1")]
pub struct BadRatio(pub String);

impl Ratio {
    /// Two thirds: what agreement and quorum need unless the policy says otherwise.
    pub const TWO_THIRDS: Ratio = Ratio { p: 2, q: 3 };
    /// Six tenths: how near two free texts must be to count as one.
    pub const SIX_TENTHS: Ratio = Ratio { p: 6, q: 10 };

    /// Returns the numerator.
    pub fn p(self) -> u64 {
        u64::from(self.p)
    }

    /// Returns the denominator.
    pub fn q(self) -> u64 {
        u64::from(self.q)
    }

    /// Tells whether `part` is at least this share of `whole`: q·part ≥ p·whole.
    pub fn is_reached(self, part: usize, whole: usize) -> bool {
        u128::from(self.q) * part as u128 >= u128::from(self.p) * whole as u128
    }
}

impl FromStr for Ratio {
    type Err = BadRatio;
    fn from_str(text: &str) -> Result<Self, BadRatio> {
        let bad = || BadRatio(text.chars().take(40).collect());
        let (p, q) = text.split_once('/').ok_or_else(bad)?;
        let part = |s: &str| if s.bytes().all(|b| b.is_ascii_digit()) { s.parse::<u32>().ok() } else { None };
        match (part(p), part(q)) {
            (Some(p), Some(q)) if 1 <= p && p <= q && q <= DENOMINATOR_MAX => Ok(Ratio { p, q }),
            _ => Err(bad()),
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

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.p, self.q)
    }
}

/// How many families must have answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Quorum {
    /// At least two families, and this share of those expected.
    Share(Ratio),
    /// One family is enough, in plan, tasks and implement; elsewhere two thirds.
    Solo,
}

/// Fewest families that can agree where one is not enough.
const FAMILIES_MIN: usize = 2;

impl Quorum {
    /// Returns the quorum that holds at a stage: one voice is enough only before anything is validated.
    pub fn at(self, stage: Stage) -> Quorum {
        match self {
            Quorum::Solo if stage > Stage::Implement => Quorum::Share(Ratio::TWO_THIRDS),
            Quorum::Solo => Quorum::Solo,
            Quorum::Share(share) => Quorum::Share(share),
        }
    }

    /// Returns how many of the families that are asked at a stage have to answer. At implement one candidate will do: it
    /// is decided by what was run.
    pub fn needed(self, expected: usize, stage: Stage) -> usize {
        match self.at(stage) {
            Quorum::Solo => 1,
            Quorum::Share(_) if stage == Stage::Implement => 1,
            Quorum::Share(share) => {
                (FAMILIES_MIN..=expected).find(|ok| share.is_reached(*ok, expected)).unwrap_or(FAMILIES_MIN)
            }
        }
    }
}

impl FromStr for Quorum {
    type Err = BadRatio;
    fn from_str(text: &str) -> Result<Self, BadRatio> {
        if text == "solo" { Ok(Quorum::Solo) } else { text.parse().map(Quorum::Share) }
    }
}

impl TryFrom<String> for Quorum {
    type Error = BadRatio;
    fn try_from(text: String) -> Result<Self, BadRatio> {
        text.parse()
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

/// The thresholds and permissions of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Share of the families that answered which a winner needs.
    pub agree: Ratio,
    /// Share of the expected families that must have answered.
    pub quorum: Quorum,
    /// How near two free texts must be to count as one.
    pub merge_threshold: Ratio,
    /// Whether a degraded verdict exits 0.
    pub allow_degraded: bool,
    /// Whether a hollow verdict exits 0.
    pub allow_hollow: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            agree: Ratio::TWO_THIRDS,
            quorum: Quorum::Share(Ratio::TWO_THIRDS),
            merge_threshold: Ratio::SIX_TENTHS,
            allow_degraded: false,
            allow_hollow: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_families_have_to_answer() {
        let needed = |quorum: &str, expected, stage| quorum.parse::<Quorum>().unwrap().needed(expected, stage);
        let all: Vec<usize> = (0..=6).map(|expected| needed("2/3", expected, Stage::Plan)).collect();
        assert_eq!(all, [2, 2, 2, 2, 3, 4, 4]);
        assert_eq!((needed("solo", 1, Stage::Plan), needed("solo", 3, Stage::Audit)), (1, 2));
        assert_eq!((needed("1/1", 1, Stage::Implement), needed("1/1", 3, Stage::Plan)), (1, 3));
    }

    #[test]
    fn a_share_is_two_integers_above_zero_and_up_to_one() {
        for good in ["2/3", "1/1", "6/10", "1/1000000"] {
            assert_eq!(good.parse::<Ratio>().unwrap().to_string(), good);
        }
        for bad in
            ["", "2", "0/3", "3/2", "2/0", "-1/2", "+1/2", "1.0/2", " 1/2", "1/1000001", "2/3/4", "99999999999/1"]
        {
            assert!(bad.parse::<Ratio>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_share_is_compared_without_rounding() {
        assert!(Ratio::TWO_THIRDS.is_reached(2, 3) && !Ratio::TWO_THIRDS.is_reached(66, 100));
        assert!(Ratio::SIX_TENTHS.is_reached(9, 15) && !Ratio::SIX_TENTHS.is_reached(8, 14));
    }

    #[test]
    fn a_policy_may_leave_out_everything() {
        assert_eq!(serde_json::from_str::<Policy>("{}").unwrap(), Policy::default());
        let solo: Policy = serde_json::from_str(r#"{"quorum":"solo"}"#).unwrap();
        assert_eq!(solo.quorum, Quorum::Solo);
        assert!(serde_json::from_str::<Policy>(r#"{"agree":0.5}"#).is_err());
    }
}
