//! The table: how often each method is right, lets something false through, stops what is fit, and asks nobody.
//!
//! It must not know where cases come from.

use serde::Serialize;

use super::baseline;
use super::case::{Case, End, Ended};
use super::exchange;
use crate::domain::consensus::decide;

/// A way to come from a panel to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The agent that is mistaken least, alone.
    BestAlone,
    /// One vote for each agent.
    MostAgents,
    /// One vote for each family.
    MostFamilies,
    /// Dicast's verdict, had the host looked nothing up.
    Unlooked,
    /// Dicast's verdict.
    Looked,
    /// Dicast's verdict after the round.
    Round,
}

impl Method {
    /// All methods, in the order of the table.
    pub const ALL: [Method; 6] =
        [Method::BestAlone, Method::MostAgents, Method::MostFamilies, Method::Unlooked, Method::Looked, Method::Round];

    /// Returns its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Method::BestAlone => "single best agent",
            Method::MostAgents => "majority of agents",
            Method::MostFamilies => "family vote",
            Method::Unlooked => "verdict, nothing looked up",
            Method::Looked => "verdict + host checks",
            Method::Round => "verdict + host checks + round",
        }
    }

    /// Ends a case.
    pub fn end(self, case: &Case) -> Ended {
        match self {
            Method::BestAlone => baseline::alone(&case.panel, &case.best),
            Method::MostAgents => baseline::majority(&case.panel),
            Method::MostFamilies => baseline::families(&case.panel),
            Method::Unlooked => Ended::of(&decide(&case.unlooked())),
            Method::Looked => Ended::of(&decide(&case.panel)),
            Method::Round => Ended::of(&decide(&exchange::after(case))),
        }
    }
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// How many.
    pub part: usize,
    /// Of how many.
    pub whole: usize,
}

impl Share {
    /// Counts one more, and whether it is one of those.
    fn count(&mut self, is_one: bool) {
        self.whole += 1;
        self.part += usize::from(is_one);
    }

    /// Returns it in tenths of a percent, rounded to the nearest; 0 of nothing.
    pub fn per_mille(self) -> usize {
        (2000 * self.part + self.whole).checked_div(2 * self.whole).unwrap_or(0)
    }

    /// Writes it as `97.4 %`.
    pub fn percent(self) -> String {
        let tenths = self.per_mille();
        format!("{}.{} %", tenths / 10, tenths % 10)
    }
}

/// How a method did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Its name.
    pub method: &'static str,
    /// Cases that it ended as they should have ended.
    pub accuracy: Share,
    /// Passes that let something false through, of the cases where that can happen.
    pub false_pass: Share,
    /// Those of the false passes in which nobody said what is true, so that no count of voices could have seen it.
    pub unsaid: Share,
    /// Stops, of the cases that are fit.
    pub false_block: Share,
    /// Cases that it ended without asking a human.
    pub without_a_human: Share,
}

/// Scores a method.
pub fn score<'c>(method: Method, cases: impl IntoIterator<Item = &'c Case>) -> Score {
    let mut score = Score {
        method: method.name(),
        accuracy: Share::default(),
        false_pass: Share::default(),
        unsaid: Share::default(),
        false_block: Share::default(),
        without_a_human: Share::default(),
    };
    for case in cases {
        let result = method.end(case);
        score.accuracy.count(result.is_right(&case.truth));
        score.without_a_human.count(result.end != End::Ask);
        if case.is_trap() {
            let is_false_pass = result.is_false_pass(&case.truth);
            score.false_pass.count(is_false_pass);
            if is_false_pass {
                score.unsaid.count(case.is_unsaid(&result));
            }
        }
        if case.truth.answer == End::Pass {
            score.false_block.count(result.is_false_block(&case.truth));
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_to_the_nearest_tenth() {
        let percent = |part, whole| Share { part, whole }.percent();
        assert_eq!(percent(0, 0), "0.0 %");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(2, 3), "66.7 %");
        assert_eq!(percent(1, 2000), "0.1 %");
        assert_eq!(percent(7, 7), "100.0 %");
    }
}
