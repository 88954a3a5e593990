//! The rules by name, with how grave a finding is and what it is about: one table, printed by reports and docs.
//!
//! It must not know how a rule is checked.

use serde::{Deserialize, Serialize};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What is written is not so, or cannot be met.
    Error,
    /// A hole or a doubt that somebody should close.
    Warning,
    /// Worth knowing; never fails a check.
    Info,
}

impl Severity {
    /// Returns the word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// Who found it: the three built-in analysts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Analyst {
    /// Looks at what in the code the spec touches.
    Surveyor,
    /// Follows requirement → task → test → code.
    Tracer,
    /// Reads the words: ambiguity, contradiction, what is unmeasured.
    Critic,
}

/// What a finding is an instance of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A ticked task names a file that is not there.
    TickedFileMissing,
    /// A ticked task names a file that was there once.
    TickedFileGone,
    /// A ticked task names a symbol that is nowhere.
    TickedSymbolMissing,
    /// A ticked task names a test that is nowhere.
    TickedTestMissing,
    /// A ticked task names a function or test whose body is empty.
    TickedHollow,
    /// Nothing that a ticked task names was changed since the spec was written.
    TickedUntouched,
    /// Everything that an open task names is there.
    OpenTaskDone,
    /// No task names a requirement.
    RequirementWithoutTask,
    /// No test names a requirement, nor does a task that names it name a test.
    RequirementWithoutTest,
    /// A task names a requirement that the spec does not have.
    OrphanTask,
    /// The spec's demands changed after the plan was written.
    StalePlan,
    /// A requirement uses words that nobody can measure.
    Vague,
    /// A requirement names a quantity without a value, or a choice that nobody made.
    OpenQuantity,
    /// Two demands exclude each other.
    Contradiction,
    /// One id is defined twice with different words.
    DuplicateId,
    /// The text says itself that something is still open.
    OpenMarker,
    /// The constitution forbids what the spec or a task demands.
    ConstitutionForbids,
    /// A change that no task asked for.
    UnaskedChange,
    /// The spec demands nothing.
    NoRequirements,
    /// A document cannot be read.
    Unreadable,
}

impl Rule {
    /// All rules, in the order of the table.
    pub const ALL: [Rule; 20] = [
        Rule::TickedFileMissing,
        Rule::TickedFileGone,
        Rule::TickedSymbolMissing,
        Rule::TickedTestMissing,
        Rule::TickedHollow,
        Rule::TickedUntouched,
        Rule::OpenTaskDone,
        Rule::RequirementWithoutTask,
        Rule::RequirementWithoutTest,
        Rule::OrphanTask,
        Rule::StalePlan,
        Rule::Vague,
        Rule::OpenQuantity,
        Rule::Contradiction,
        Rule::DuplicateId,
        Rule::OpenMarker,
        Rule::ConstitutionForbids,
        Rule::UnaskedChange,
        Rule::NoRequirements,
        Rule::Unreadable,
    ];

    /// Returns the rule's id, who checks it, its severity where nothing lowers it, and one sentence about it.
    fn row(self) -> (&'static str, Analyst, Severity, &'static str) {
        use Analyst::{Critic, Surveyor, Tracer};
        use Severity::{Error, Info, Warning};
        match self {
            Rule::TickedFileMissing => {
                ("ticked-file-missing", Surveyor, Error, "A ticked task names a file that does not exist.")
            }
            Rule::TickedFileGone => (
                "ticked-file-gone",
                Surveyor,
                Warning,
                "A ticked task names a file that existed once and does not any more.",
            ),
            Rule::TickedSymbolMissing => {
                ("ticked-symbol-missing", Surveyor, Error, "A ticked task names a symbol that no code defines.")
            }
            Rule::TickedTestMissing => {
                ("ticked-test-missing", Surveyor, Error, "A ticked task names a test that does not exist.")
            }
            Rule::TickedHollow => {
                ("ticked-hollow", Surveyor, Warning, "A ticked task names a function or test that does nothing yet.")
            }
            Rule::TickedUntouched => (
                "ticked-untouched",
                Surveyor,
                Warning,
                "No commit since the spec was written, and no uncommitted change, touches what a ticked task names.",
            ),
            Rule::OpenTaskDone => {
                ("open-task-done", Surveyor, Info, "Everything that an unticked task names is there already.")
            }
            Rule::RequirementWithoutTask => {
                ("requirement-without-task", Tracer, Warning, "No task names this requirement.")
            }
            Rule::RequirementWithoutTest => (
                "requirement-without-test",
                Tracer,
                Warning,
                "No test's source names this requirement, and no task that names it names a test.",
            ),
            Rule::OrphanTask => {
                ("orphan-task", Tracer, Warning, "A task names a requirement id that the spec does not define.")
            }
            Rule::StalePlan => {
                ("stale-plan", Tracer, Warning, "What the spec demands changed after its plan was last written.")
            }
            Rule::Vague => ("vague", Critic, Warning, "A requirement uses a word that no test can measure."),
            Rule::OpenQuantity => (
                "open-quantity",
                Critic,
                Info,
                "A requirement names a quantity without a value, or a choice that nobody made.",
            ),
            Rule::Contradiction => ("contradiction", Critic, Error, "Two demands cannot both be met."),
            Rule::DuplicateId => {
                ("duplicate-id", Critic, Warning, "One requirement id is defined twice with different words.")
            }
            Rule::OpenMarker => (
                "open-marker",
                Critic,
                Error,
                "The text says itself that something is undecided (TBD, NEEDS CLARIFICATION).",
            ),
            Rule::ConstitutionForbids => {
                ("constitution-forbids", Critic, Error, "A requirement or task demands what the constitution forbids.")
            }
            Rule::UnaskedChange => ("unasked-change", Tracer, Warning, "A change in the range that no task asked for."),
            Rule::NoRequirements => (
                "no-requirements",
                Critic,
                Warning,
                "The spec has no requirement, no user story and no acceptance scenario.",
            ),
            Rule::Unreadable => ("unreadable", Surveyor, Error, "A spec document is empty, too large or not UTF-8."),
        }
    }

    /// Returns the id that reports and suppressions use.
    pub fn id(self) -> &'static str {
        self.row().0
    }

    /// Returns who checks it.
    pub fn analyst(self) -> Analyst {
        self.row().1
    }

    /// Returns how grave it is where nothing lowers it.
    pub fn severity(self) -> Severity {
        self.row().2
    }

    /// Returns one sentence about it.
    pub fn help(self) -> &'static str {
        self.row().3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_lists_every_rule_as_it_is() {
        let manual = include_str!("../../../docs/check.md");
        for rule in Rule::ALL {
            let analyst = format!("{:?}", rule.analyst()).to_lowercase();
            let row = format!("| `{}` | {analyst} | {} | {} |", rule.id(), rule.severity().word(), rule.help());
            assert!(manual.contains(&row), "docs/check.md lacks: {row}");
        }
    }

    #[test]
    fn ids_are_unique_and_what_serde_writes() {
        let ids: std::collections::BTreeSet<&str> = Rule::ALL.iter().map(|r| r.id()).collect();
        assert_eq!(ids.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.id());
        }
    }
}
