//! Panels of any size, to see how long a decision takes.
//!
//! It must not know the clock: the command measures.

use std::fmt::Write as _;

/// Agents of a measured panel, each a family of its own.
pub const AGENTS: usize = 8;

/// Assertions of each agent in the panel that the aim is about.
pub const EACH: usize = 10_000;

/// Whether the agents speak about the same things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// All answer the same questions, one in eleven differently.
    Shared,
    /// No two say anything about the same thing, and nothing merges.
    Apart,
}

impl Shape {
    /// Both.
    pub const ALL: [Shape; 2] = [Shape::Shared, Shape::Apart];

    /// Returns its words in the table.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Shared => "the same keys",
            Shape::Apart => "keys of its own",
        }
    }
}

/// Writes the panel of [`AGENTS`] with so many assertions each: covers, files, tests, answers, checks and risks in turn.
pub fn panel(shape: Shape, each: usize) -> String {
    let mut text = String::from(r#"{"schema":"dicast.panel/1","spec_id":"001-load","stage":"plan","agents":["#);
    for agent in 0..AGENTS {
        let comma = if agent > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{comma}{{"name":"agent-{agent}","family":"family-{agent}","status":"ok","claims":["#);
        for i in 0..each {
            let n = match shape {
                Shape::Shared => i,
                Shape::Apart => agent * each + i,
            };
            let comma = if i > 0 { "," } else { "" };
            let (kind, subject, predicate, value) = assertion(n, (agent + n) % 11 == 0);
            let _ = write!(
                text,
                r#"{comma}{{"kind":"{kind}","subject":"{subject}","predicate":"{predicate}","value":"{value}","polarity":1,"severity":"minor","tier":"E2"}}"#
            );
        }
        text.push_str("]}");
    }
    text.push_str("]}");
    text
}

fn assertion(n: usize, differs: bool) -> (&'static str, String, &'static str, String) {
    let yes = || "yes".to_owned();
    match n % 6 {
        0 => ("covers", format!("FR-{n:05}"), "covered", yes()),
        1 => ("file_change", format!("src/part{}/file{n}.rs", n % 37), "touched", yes()),
        2 => ("test", format!("tests::part{}::case_{n}", n % 37), "passes", yes()),
        3 => ("decision", format!("D-{n:05}"), "answer", format!("{} ms", (n * 7) % 1000 + usize::from(differs))),
        4 => ("test", format!("FR-{n:05}"), "checked-by", format!("tests/part{}/case_{n}.rs", n % 37)),
        _ => ("risk", format!("queue {n} may lose entries when node {} restarts", n % 91), "threatens", yes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::consensus::{decide, parse_panel};

    #[test]
    fn a_shared_panel_has_as_many_claims_as_one_agent_and_one_apart_as_many_as_all() {
        let claims = |shape| decide(&parse_panel(&panel(shape, 60)).unwrap()).claims.len();
        assert_eq!(claims(Shape::Shared), 60);
        assert_eq!(claims(Shape::Apart), 60 * AGENTS);
    }
}
