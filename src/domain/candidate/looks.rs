//! What was run on candidates that is no test (a linter, a formatter), and which tests of the others pass on one, too.
//!
//! Pure arithmetic over names, like the ranking. It must not know how anything was run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Candidate, Patch, Rail, Runs, Tried};
use crate::domain::hunks::Hunk;
use crate::domain::ids::AgentName;
use crate::domain::spec::is_test_path;

/// What the name of a check that names no tests begins with among the tests.
pub const CHECK: &str = "check ";

/// Most words of a command that its name is looked for in.
const WORDS: usize = 3;

/// Something that was run on a candidate and is no test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// What it is called in short: a check's name, or the word of a guardrail that tells it from others.
    pub name: String,
    /// Whether it succeeded.
    pub passed: bool,
}

/// The checks that are no tests: none of their runs named one, on any code.
pub(super) fn checks(runs: &Runs) -> BTreeSet<String> {
    let named = runs.base.keys().filter(|name| name.starts_with(CHECK));
    named.filter(|name| runs.yours.values().all(|heard| heard.contains_key(*name))).cloned().collect()
}

/// Returns what was run on a candidate that is no test: its checks, then the guardrails as far as they came.
pub(super) fn looks(agent: &AgentName, checks: &BTreeSet<String>, runs: &Runs) -> Vec<Look> {
    let heard = runs.yours.get(agent);
    let check = |name: &String| {
        let passed = heard.and_then(|heard| heard.get(name)).copied()?;
        Some(Look { name: name.strip_prefix(CHECK).unwrap_or(name).to_owned(), passed })
    };
    let rails = runs.rails.get(agent).map(Vec::as_slice).unwrap_or_default();
    let rail = |rail: &Rail| Look { name: short(&rail.argv), passed: rail.passed };
    checks.iter().filter_map(check).chain(rails.iter().map(rail)).collect()
}

/// Names a command by the last of its first words before an option: `cargo clippy -- -D warnings` is `clippy`.
fn short(argv: &[String]) -> String {
    let words = argv.iter().take(WORDS).take_while(|word| !word.starts_with('-'));
    let last = words.last().or(argv.first()).map(String::as_str).unwrap_or_default();
    last.rsplit('/').next().unwrap_or(last).to_owned()
}

/// The tests of one candidate as they went on another's code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Worth {
    /// Names of those that pass.
    pub passed: BTreeSet<String>,
    /// Names of those that do not.
    pub failed: BTreeSet<String>,
}

impl Tried {
    /// Returns what was run on candidates that is no test, by name, in the order in which it was run.
    pub fn looks(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for look in self.candidates.iter().flat_map(|one| &one.looks) {
            if !names.contains(&look.name.as_str()) {
                names.push(&look.name);
            }
        }
        names
    }

    /// Returns the tests of the other candidates as they went on this one's code, by who wrote them; of those that are out,
    /// none.
    pub fn worth(&self, one: &Candidate) -> BTreeMap<AgentName, Worth> {
        let mut worth: BTreeMap<AgentName, Worth> = BTreeMap::new();
        let others = self.candidates.iter().filter(|other| other.agent != one.agent && other.out.is_none());
        for other in others {
            let own = |name: &String| name.strip_prefix(other.agent.as_str())?.strip_prefix(": ").map(str::to_owned);
            let (passed, failed) = (one.passed.iter().filter_map(own), one.failed.iter().filter_map(own));
            let found = Worth { passed: passed.collect(), failed: failed.collect() };
            if !found.passed.is_empty() {
                worth.insert(other.agent.clone(), found);
            }
        }
        worth
    }
}

impl Worth {
    /// Returns the hunks of test files that hold these tests and none that fails: a hunk that names one that fails is left.
    pub fn hunks<'p>(&self, patch: &'p Patch) -> impl Iterator<Item = &'p Hunk> + use<'p> {
        let last = |name: &String| name.rsplit([':', '/', ' ', '.']).next().unwrap_or(name).to_owned();
        let names: Vec<String> = self.failed.iter().map(last).collect();
        let text = move |hunk: &Hunk| patch.diff.text().get(hunk.at.clone()).unwrap_or_default();
        let is_good = move |hunk: &&Hunk| names.iter().all(|name| !text(hunk).contains(name.as_str()));
        patch.diff.hunks().iter().filter(|hunk| is_test_path(&hunk.file)).filter(is_good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::candidate::Heard;
    use crate::domain::hunks::Diff;

    fn agent(name: &str) -> AgentName {
        AgentName::new(name).unwrap()
    }

    fn heard(words: &[&str]) -> Heard {
        words.iter().map(|word| (word[1..].to_owned(), word.starts_with('+'))).collect()
    }

    #[test]
    fn a_check_that_never_named_a_test_is_a_look_and_one_that_did_not_build_is_none() {
        let rail =
            |words: &[&str], passed| Rail { argv: words.iter().map(|word| (*word).to_owned()).collect(), passed };
        let runs = Runs {
            base: heard(&["+a", "+check clippy", "-check tests"]),
            yours: [(agent("ann"), heard(&["+a", "-check clippy"])), (agent("bob"), heard(&["+a", "+check clippy"]))]
                .into(),
            rails: [(agent("ann"), vec![rail(&["cargo", "fmt", "--check"], true), rail(&["./ci/lint.sh"], false)])]
                .into(),
            ..Runs::default()
        };
        let checks = checks(&runs);
        assert_eq!(checks, BTreeSet::from(["check clippy".to_owned()]));
        let said = |name: &str| {
            let looks = looks(&agent(name), &checks, &runs);
            looks.into_iter().map(|look| format!("{} {}", look.name, look.passed)).collect::<Vec<_>>()
        };
        assert_eq!(said("ann"), ["clippy false", "fmt true", "lint.sh false"]);
        assert_eq!(said("bob"), ["clippy true"]);
        assert_eq!(short(&["npm".into(), "run".into(), "lint".into()]), "lint");
        assert_eq!(short(&["-x".into()]), "-x");
    }

    #[test]
    fn a_hunk_that_names_a_test_that_fails_here_is_not_worth_keeping() {
        let file = |name: &str, test: &str| {
            format!(
                "diff --git a/tests/{name} b/tests/{name}\nnew file mode 100644\nindex 00..33\n--- /dev/null\n\
                 +++ b/tests/{name}\n@@ -0,0 +1,2 @@\n+#[test]\n+fn {test}() {{}}\n"
            )
        };
        let text =
            file("good.rs", "burst") + &file("bad.rs", "refill") + &file("bad.rs", "x").replace("tests/", "src/");
        let diff = Diff::from(text.as_str());
        let patch = Patch {
            base: String::new(),
            tree: String::new(),
            files: BTreeMap::new(),
            added: 0,
            removed: 0,
            left_out: Vec::new(),
            unfit: None,
            diff,
        };
        let worth = Worth { passed: ["good::burst".to_owned()].into(), failed: ["bad::refill".to_owned()].into() };
        let files: Vec<&str> = worth.hunks(&patch).map(|hunk| hunk.file.as_str()).collect();
        assert_eq!(files, ["tests/good.rs"]);
    }
}
