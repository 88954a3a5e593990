//! What GitHub Actions reads from a step: workflow commands among the lines of its log, and the file of its summary.
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>)
//!
//! It must not know what is told.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::domain::safe::Safe;

/// Tells whether a step of GitHub Actions reads our lines.
pub fn is_reading() -> bool {
    static READS: OnceLock<bool> = OnceLock::new();
    *READS.get_or_init(|| std::env::var("GITHUB_ACTIONS").is_ok_and(|is| is == "true"))
}

/// Returns the file of the step's summary, if a step reads us and has one.
pub fn summary() -> Option<PathBuf> {
    let file = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty());
    file.filter(|_| is_reading()).map(PathBuf::from)
}

/// How grave an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It fails the step.
    Error,
    /// Somebody should look.
    Warning,
    /// Worth knowing.
    Notice,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        }
    }
}

/// A remark at a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// How grave it is.
    pub level: Level,
    /// Relative to the repository.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// What it is about.
    pub title: String,
    /// What is so.
    pub message: String,
}

/// How many annotations of a level GitHub shows for a step; it drops the others.
const SHOWN: usize = 10;

/// Writes annotations as workflow commands, as many of each level as are shown.
pub fn commands(annotations: &[Annotation]) -> String {
    let of = |level| annotations.iter().filter(move |annotation| annotation.level == level).take(SHOWN);
    [Level::Error, Level::Warning, Level::Notice].into_iter().flat_map(of).map(command).collect()
}

fn command(annotation: &Annotation) -> String {
    let Annotation { level, file, line, title, message } = annotation;
    let property = |text: &str| value(text).replace(':', "%3A").replace(',', "%2C");
    let (level, file, title) = (level.word(), property(file), property(title));
    format!("::{level} file={file},line={line},title={title}::{}\n", value(message))
}

/// Escapes a text as GitHub's own toolkit does; what a terminal might obey is gone before.
fn value(text: &str) -> String {
    Safe::line(text).as_str().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A").replace("##[", "## [")
}

/// Takes from lines what the runner would obey, whoever wrote them: it reads `::` at the start of a line, also behind
/// spaces, and `##[` anywhere.
pub fn defused(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    if !text.lines().any(is_command) {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| {
        // A line of JSON stays the same value.
        let old_sign = if line.starts_with('{') { "#\\u0023[" } else { "## [" };
        let line = line.replace("##[", old_sign);
        let indent = line.len() - line.trim_start().len();
        let is_command = line.trim_start().starts_with("::");
        if is_command { format!("{} {}", &line[..=indent], &line[indent + 1..]) } else { line }
    };
    Cow::Owned(text.split_inclusive('\n').map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remark(level: Level, message: &str) -> Annotation {
        Annotation {
            level,
            file: "specs/a,b:c/spec.md".into(),
            line: 3,
            title: "t: 100%".into(),
            message: message.into(),
        }
    }

    #[test]
    fn an_annotation_is_one_command_whatever_its_texts_say() {
        let said = commands(&[remark(Level::Error, "50% of\n::set-env name=A::b\r\n##[add-mask]x")]);
        let (command, message) = said.strip_prefix("::").unwrap().split_once("::").unwrap();
        assert_eq!(command, "error file=specs/a%2Cb%3Ac/spec.md,line=3,title=t%3A 100%25");
        assert!(message.starts_with("50%25 of") && !message.contains("##["), "{message}");
        assert_eq!(said.lines().count(), 1);
    }

    #[test]
    fn no_more_than_ten_of_a_level_are_told() {
        let many: Vec<Annotation> =
            (0..30).map(|_| remark(Level::Warning, "x")).chain([remark(Level::Error, "y")]).collect();
        let said = commands(&many);
        assert_eq!((said.lines().count(), said.starts_with("::error ")), (11, true));
    }

    #[test]
    fn no_line_of_a_log_is_a_command_of_somebody_else() {
        for line in ["::add-mask::a", " \t::error::x", "a ##[add-path]/tmp", "::", "\u{a0}::error::x"] {
            let defused = defused(line);
            assert!(!defused.trim_start().starts_with("::") && !defused.contains("##["), "{line} became {defused}");
        }
        for line in ["a::b\n", "std::fs\n", "# [x]\n", ""] {
            assert_eq!(defused(line), line);
        }
        let json = "{\"a\":\"##[error]x\"}\n";
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert!(!defused(json).contains("##[") && value(&defused(json)) == value(json));
    }
}
