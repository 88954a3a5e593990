//! Guardrails: commands of the project that must succeed before and after a stage, and a working copy without changes
//! that nobody committed.
//!
//! Plain data about what was run. It must not know how, nor what a failed one means for a run.

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::hash::Sha;
use super::ids::SpecId;
use super::safe::Safe;
use super::spec::Folder;
use super::stage::Stage;

/// On which side of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Before anybody is asked.
    Before,
    /// After the stage.
    After,
}

impl When {
    /// Returns the word.
    pub fn word(self) -> &'static str {
        match self {
            When::Before => "before",
            When::After => "after",
        }
    }
}

/// What the guardrails of one side of a stage came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of which spec.
    pub spec: SpecId,
    /// Of which stage.
    pub stage: Stage,
    /// On which side.
    pub when: When,
    /// Changes that nobody committed, if none were to be there. Foreign text.
    pub dirty: Vec<Safe>,
    /// The commands that were run, in order; the first that failed is the last.
    pub ran: Vec<Ran>,
    /// How many processes of theirs could not be ended; 0 unless something is very wrong.
    #[serde(default, skip_serializing_if = "is_none")]
    pub survivors: u32,
}

fn is_none(survivors: &u32) -> bool {
    *survivors == 0
}

/// One command that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Whether it ended by itself with exit 0.
    pub passed: bool,
    /// Its exit code, if it ended by itself.
    pub exit: Option<i32>,
    /// Why it was ended, or could not be started.
    pub ended: Option<Safe>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The lines that say what failed. Foreign text.
    pub lines: Vec<Safe>,
    /// Hash of all that it wrote to stdout.
    pub output_sha256: Sha,
    /// Where its output is kept, relative to the evidence root.
    pub log: Option<String>,
}

/// Most lines of a failed command that are shown.
const LINES_MAX: usize = 12;

/// Most changed files that are named.
const DIRTY_MAX: usize = 20;

/// The exit code of a failed guardrail.
const RED: u8 = 2;

/// Words by which a line says what failed, lower-cased.
const TELLING: [&str; 9] = ["error", "fail", "panicked", "assert", "expected", "not found", "undefined", "fatal", "✗"];

/// What no guardrail asks to be committed.
const OURS: &str = ".dicast/";

impl Report {
    /// Tells whether nothing failed.
    pub fn is_green(&self) -> bool {
        self.dirty.is_empty() && self.ran.iter().all(|ran| ran.passed)
    }

    /// Returns the command that failed.
    pub fn red(&self) -> Option<&Ran> {
        self.ran.iter().find(|ran| !ran.passed)
    }

    /// Says what failed; `None` where nothing did.
    pub fn why(&self) -> Option<String> {
        if !self.dirty.is_empty() {
            return Some(format!("{} not committed: {}", counted(self.dirty.len()), self.dirty[0]));
        }
        let ran = self.red()?;
        let how = match (&ran.ended, ran.exit) {
            (Some(why), _) => why.to_string(),
            (None, Some(code)) => format!("exit {code}"),
            (None, None) => "it was ended by a signal".to_owned(),
        };
        Some(format!("{} failed: {how}", ran.argv.join(" ")))
    }

    /// Returns the failure (exit 2) of a stage that a guardrail stops.
    pub fn failure(&self) -> Option<Failure> {
        let why = self.why()?;
        let line = self.red().and_then(|ran| ran.lines.first()).map(|line| format!(" · {line}")).unwrap_or_default();
        Some(Failure::BadInput {
            place: format!("guardrail {} {}", self.when.word(), self.stage),
            why: format!("{why}{line}"),
            next: format!("mend it and run it alone: `dicast guardrail {} {}`", self.stage, self.spec),
            exit: RED,
        })
    }
}

fn counted(n: usize) -> String {
    if n == 1 { "1 change is".to_owned() } else { format!("{n} changes are") }
}

/// Returns the lines of an output that say what failed: those with a telling word, else the last ones.
pub fn telling_lines(output: &str) -> Vec<Safe> {
    let lines: Vec<&str> = output.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    let is_telling = |line: &&&str| {
        let lower = line.to_lowercase();
        TELLING.iter().any(|word| lower.contains(word))
    };
    let told: Vec<&str> = lines.iter().filter(is_telling).copied().collect();
    let chosen = if told.is_empty() { lines } else { told };
    let from = if chosen.len() > LINES_MAX { chosen.len() - LINES_MAX } else { 0 };
    chosen[from..].iter().map(|line| Safe::line(line)).collect()
}

/// Returns the changed files that should have been committed: all but ours, the documents of the spec itself, and what
/// stages wrote for any other.
pub fn uncommitted<'p>(dirty: impl IntoIterator<Item = &'p String>, folders: &[Folder], spec: &SpecId) -> Vec<Safe> {
    let is_in = |path: &str, dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    let is_apart = |path: &str| {
        path.starts_with(OURS)
            || folders.iter().any(|folder| folder.publishes(path) || (folder.id == *spec && is_in(path, &folder.dir)))
    };
    let theirs = dirty.into_iter().filter(|path| !is_apart(path));
    theirs.take(DIRTY_MAX).map(|path| Safe::line(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec;

    fn ran(passed: bool, exit: Option<i32>, ended: Option<&str>) -> Ran {
        Ran {
            argv: vec!["cargo".into(), "test".into()],
            passed,
            exit,
            ended: ended.map(Safe::line),
            took_ms: 1,
            lines: vec![Safe::line("test burst ... FAILED")],
            output_sha256: Sha::of(""),
            log: None,
        }
    }

    fn report(dirty: &[&str], ran: Vec<Ran>) -> Report {
        let dirty = dirty.iter().map(|path| Safe::line(path)).collect();
        Report {
            spec: SpecId::new("001-x").unwrap(),
            stage: Stage::Validate,
            when: When::After,
            dirty,
            ran,
            survivors: 0,
        }
    }

    #[test]
    fn a_red_one_stops_with_exit_2_and_says_what_failed() {
        assert_eq!(report(&[], vec![ran(true, Some(0), None)]).failure(), None);
        let failure = report(&[], vec![ran(true, Some(0), None), ran(false, Some(101), None)]).failure().unwrap();
        assert_eq!(failure.exit(), 2);
        assert_eq!(
            failure.to_string(),
            "guardrail after validate: cargo test failed: exit 101 · test burst ... FAILED"
        );
        assert!(failure.hint().contains("dicast guardrail validate 001-x"));
        let late = report(&[], vec![ran(false, None, Some("it took longer than 10:00"))]);
        assert_eq!(late.why().unwrap(), "cargo test failed: it took longer than 10:00");
        assert_eq!(report(&["a", "b"], vec![]).why().unwrap(), "2 changes are not committed: a");
    }

    #[test]
    fn the_lines_that_tell_are_shown_and_the_last_ones_where_none_does() {
        let output =
            "compiling\nrunning 2 tests\ntest a ... ok\ntest b ... FAILED\n\nthread 'b' panicked at x.rs:1\ndone\n";
        let told: Vec<String> = telling_lines(output).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["test b ... FAILED", "thread 'b' panicked at x.rs:1"]);
        let silent: String = (0..40).map(|n| format!("line {n}\n")).collect();
        let last = telling_lines(&silent);
        assert_eq!((last.len(), last[11].as_str()), (12, "line 39"));
    }

    #[test]
    fn our_own_files_need_not_be_committed() {
        let paths = ["specs/001-x/spec.md", "specs/001-xy/spec.md"];
        let dirty = [
            "specs/001-x/plan.md",
            "specs/001-x/notes.md",
            ".dicast/config.toml",
            "src/a.rs",
            "specs/001-xy/spec.md",
            "specs/001-xy/plan.md",
            "specs/001-xy/tasks.dicast-new.2.md",
            "specs/001-xy/verdicts/plan.json",
            "specs/001-xy/review/audit.md",
            "specs/001-xy/planning.md",
            "src/plan.md",
        ]
        .map(String::from);
        let told = uncommitted(&dirty, &spec::find(paths), &SpecId::new("001-x").unwrap());
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["src/a.rs", "specs/001-xy/spec.md", "specs/001-xy/planning.md", "src/plan.md"]);
    }
}
