//! Which tier an assertion gets from what it names and what the host found there.
//!
//! It must not know fields or stages.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::claim::lookup::{Citation, Found, Lookups};
use crate::domain::claim::{Polarity, Tier};
use crate::domain::spec::Spec;

use super::named::{Asked, asked, is_outside};

/// What a test that the host ran counts for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run<'a> {
    /// It proves or refutes the assertion.
    Proves,
    /// It does so for this requirement only if the test is tied to it.
    ProvesIfTied(&'a str),
    /// It only shows that the test exists.
    Exists,
}

/// How evidence counts for one assertion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Support<'a> {
    /// What is said of the thing.
    pub polarity: Polarity,
    /// What a test that was run counts for.
    pub run: Run<'a>,
    /// Whether an existing requirement is evidence: for findings and for decisions about the spec.
    pub spec_counts: bool,
    /// Whether what is named may still have to be created.
    pub planned: bool,
}

/// A tier, and what was found instead where it is a false one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Weighed {
    pub tier: Tier,
    pub instead: Option<String>,
}

impl Weighed {
    pub(super) fn of(tier: Tier) -> Self {
        Self { tier, instead: None }
    }

    pub(super) fn is_false(why: impl Into<String>) -> Self {
        Self { tier: Tier::EFalse, instead: Some(why.into()) }
    }

    /// How much this says when several citations stand for one assertion: what was run before what was read, and what
    /// is false before what only exists.
    fn rank(&self) -> u8 {
        match self.tier {
            Tier::E3False => 5,
            Tier::E3True => 4,
            Tier::EFalse => 3,
            Tier::E2 => 2,
            Tier::E1 => 1,
            Tier::E0 => 0,
        }
    }
}

/// What weighing looks at.
pub(super) struct Scales<'a> {
    pub spec: &'a Spec,
    pub lookups: &'a Lookups,
    /// Tests and files that decided plan or tasks name for a requirement.
    pub checked_by: &'a BTreeMap<String, BTreeSet<String>>,
    /// Requirements that a test's source names.
    pub mentions: &'a BTreeMap<String, BTreeSet<String>>,
}

impl Scales<'_> {
    /// Weighs what an assertion cites; nothing cited is E0.
    pub(super) fn weigh(&self, citations: &[Citation], support: Support<'_>) -> Weighed {
        citations
            .iter()
            .map(|citation| self.one(citation, support))
            .max_by_key(Weighed::rank)
            .unwrap_or(Weighed::of(Tier::E0))
    }

    /// Weighs what an assertion cites by the strongest alone: one test that fails is enough to say that something
    /// does not hold.
    pub(super) fn weigh_strongest(&self, citations: &[Citation], support: Support<'_>) -> Weighed {
        citations
            .iter()
            .map(|citation| self.one(citation, support))
            .max_by_key(|weighed| weighed.tier)
            .unwrap_or(Weighed::of(Tier::E0))
    }

    fn one(&self, citation: &Citation, support: Support<'_>) -> Weighed {
        if let Citation::Requirement { id } = citation {
            return match asked(self.spec, id) {
                Asked::Unknown(id) => Weighed::is_false(format!("the spec has no {id}")),
                Asked::Known(_) | Asked::Story if support.spec_counts => Weighed::of(Tier::E2),
                Asked::Known(_) | Asked::Story => Weighed::of(Tier::E0),
            };
        }
        let path = match citation {
            Citation::File { path, .. } | Citation::Hunk { path, .. } => Some(path.as_str()),
            Citation::Symbol { path, .. } => path.as_deref(),
            Citation::Test { .. } | Citation::Requirement { .. } => None,
        };
        if let Some(path) = path.filter(|path| is_outside(path)) {
            return Weighed::is_false(format!("{path} lies outside the repository"));
        }
        let Some(found) = self.lookups.get(citation) else { return Weighed::of(Tier::E1) };
        match found {
            Found::Seen { .. } => Weighed::of(Tier::E2),
            // A line of a file that is not there could be checked, so it is false; a file alone may be created yet.
            Found::Absent => match citation {
                Citation::File { path, line: Some(line) } => Weighed::is_false(format!("{path}:{line} is not there")),
                Citation::File { line: None, .. }
                | Citation::Hunk { .. }
                | Citation::Symbol { .. }
                | Citation::Test { .. }
                | Citation::Requirement { .. } => Weighed::of(Tier::E1),
            },
            Found::False { .. } if support.planned => Weighed::of(Tier::E1),
            Found::False { why } => Weighed::is_false(why.clone()),
            Found::Outside => Weighed::is_false("it lies outside the repository"),
            Found::Ran { passed, executed, place, .. } => self.ran(citation, *passed, *executed, place, support),
        }
    }

    fn ran(
        &self,
        citation: &Citation,
        passed: bool,
        executed: u32,
        place: &Option<String>,
        support: Support<'_>,
    ) -> Weighed {
        if executed == 0 {
            return Weighed::is_false("no test of that id ran");
        }
        let proves = match (support.run, citation) {
            (Run::Proves, _) => true,
            (Run::ProvesIfTied(requirement), Citation::Test { id, .. }) => {
                self.is_tied(requirement, id, place.as_deref())
            }
            (Run::ProvesIfTied(_) | Run::Exists, _) => false,
        };
        if !proves {
            return Weighed::of(Tier::E2);
        }
        if passed == (support.polarity == Polarity::Yes) {
            return Weighed::of(Tier::E3True);
        }
        let instead = if passed { "the host ran it: it passed" } else { "the host ran it: it failed" };
        Weighed { tier: Tier::E3False, instead: Some(instead.into()) }
    }

    /// Tells whether decided plan or tasks name a test (or the file that holds it) for a requirement, or its source
    /// names the requirement.
    fn is_tied(&self, requirement: &str, test: &str, place: Option<&str>) -> bool {
        let file = place.map(|place| place.rsplit_once(':').map_or(place, |(path, _)| path));
        let is_named = self.checked_by.get(requirement).is_some_and(|names| {
            names.iter().any(|name| is_same_test(name, test) || file.is_some_and(|file| file == name))
        });
        let mentions = self.mentions.get(test).is_some_and(|requirements| requirements.contains(requirement));
        is_named || mentions
    }
}

/// `limiter::burst` and `tests/limiter.rs::limiter::burst` are one test.
fn is_same_test(a: &str, b: &str) -> bool {
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|head| head.ends_with("::"));
    a == b || ends(a, b) || ends(b, a)
}
