//! Names of things: specs, runs, agents, families, requirements. Each is a checked newtype, so that an empty or
//! path-like name is refused where it enters and nowhere else.
//!
//! It must not know where names come from, nor draw random numbers: a [`RunId`] is made from a moment, a seed and a
//! counter that the caller gives.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

use super::moment::Moment;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not usable: {why}")]
pub struct BadName {
    /// What kind of name it was meant to be.
    pub what: &'static str,
    /// The text that was given, cut to 80 characters.
    pub given: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Longest name accepted, in bytes: it becomes a file name beside suffixes of ours.
pub const NAME_MAX: usize = 100;

fn checked(what: &'static str, text: &str) -> Result<String, BadName> {
    let refuse = |why| Err(BadName { what, given: text.chars().take(80).collect(), why });
    if text.is_empty() {
        return refuse("it is empty");
    }
    if text.len() > NAME_MAX {
        return refuse("it is longer than 100 bytes");
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return refuse("use letters, digits, '-', '_' and '.' only");
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return refuse("it must start with a letter or digit");
    }
    Ok(text.to_owned())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// Its text is shared: a verdict names the same few agents and families many times.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks a name: 1 to 100 bytes of letters, digits, `-`, `_`, `.`, starting with a letter or digit.
            ///
            /// # Errors
            /// [`BadName`] says what is wrong.
            pub fn new(text: &str) -> Result<Self, BadName> {
                checked($what, text).map(|text| Self(text.into()))
            }

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// One feature's folder, for example `003-rate-limiter`.
    SpecId,
    "spec id"
);
name!(
    /// A participant; its identity is its name in the config.
    AgentName,
    "agent name"
);
name!(
    /// A participant's vendor or model line: one vote per family.
    Family,
    "family"
);

/// One execution of one or more stages for a spec: a ULID (26 characters of Crockford's base 32, see
/// <https://github.com/ulid/spec>), so that runs sort by when they started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl RunId {
    /// Makes the id of a run from the moment it starts (48 bits of milliseconds), the seed that the shell drew once,
    /// and a counter.
    pub fn mint(at: Moment, seed: u64, counter: u64) -> Self {
        let high = mixed(seed ^ at.0.rotate_left(32), counter.wrapping_mul(2));
        let low = mixed(high, counter.wrapping_mul(2).wrapping_add(1));
        let random = (u128::from(high & 0xFFFF) << 64) | u128::from(low);
        let value = (u128::from(at.0 & 0xFFFF_FFFF_FFFF) << 80) | random;
        let text = (0..26)
            .rev()
            .map(|i| {
                let digit = usize::try_from((value >> (5 * i)) & 31).unwrap_or(0);
                char::from(CROCKFORD[digit])
            })
            .collect();
        Self(text)
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last four characters: enough to tell runs apart on screen.
    pub fn short(&self) -> &str {
        &self.0[self.0.len().saturating_sub(4)..]
    }
}

/// Mixes a state and a counter into 64 bits that look random (SplitMix64, Steele, Lea and Flood, OOPSLA 2014).
fn mixed(state: u64, counter: u64) -> u64 {
    let mut z = state.wrapping_add(counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl TryFrom<String> for RunId {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        if text.len() == 26 && text.bytes().all(|b| CROCKFORD.contains(&b)) {
            Ok(Self(text))
        } else {
            Err(BadName {
                what: "run id",
                given: text.chars().take(80).collect(),
                why: "a run id is a ULID of 26 characters",
            })
        }
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in ["", ".", "..", "../x", "a/b", "-x", "a b", "a\n", "é", &"x".repeat(101)] {
            assert!(SpecId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(SpecId::new("003-rate-limiter").unwrap().as_str(), "003-rate-limiter");
    }

    #[test]
    fn run_ids_sort_by_start_and_differ_by_counter() {
        let a = RunId::mint(Moment(1_000), 7, 0);
        let b = RunId::mint(Moment(1_000), 7, 1);
        let c = RunId::mint(Moment(2_000), 3, 0);
        assert_ne!(a, b);
        assert_ne!(a.short(), b.short());
        assert!(a < c && b < c);
        assert_eq!(RunId::try_from(a.to_string()).unwrap(), a);
        assert!(RunId::try_from("x".to_owned()).is_err());
    }
}
