//! The tools that a model over HTTP has for the repository: what they are called, what they take, what their results
//! look like. They only read.
//!
//! It must not read anything itself.

use serde::Deserialize;
use serde_json::{Value, json};

/// Most lines that one call reads.
pub const LINES_MAX: usize = 800;

/// A tool, as it is told to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub does: String,
    /// The JSON Schema of what it takes.
    pub takes: Value,
}

/// What a model wants to know of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// The files below a folder; an empty one is the whole repository.
    List {
        /// The folder.
        folder: String,
    },
    /// Some lines of a file.
    Read {
        /// The file.
        path: String,
        /// The first line, from 1.
        from: usize,
        /// How many lines.
        lines: usize,
    },
    /// Where a text stands.
    Search {
        /// The text, literally.
        text: String,
        /// The folder or file to look in; an empty one is the whole repository.
        within: String,
    },
}

/// The names of the tools.
const OWN: [&str; 3] = ["list_files", "read_file", "search_text"];

/// Returns the tools.
pub fn tools() -> [Tool; 3] {
    let text = |means: &str| json!({"type": "string", "description": means});
    let whole = |means: &str| json!({"type": "integer", "minimum": 1, "description": means});
    let takes = |members: Value, required: &[&str]| json!({"type": "object", "properties": members, "required": required, "additionalProperties": false});
    [
        Tool {
            name: "list_files".to_owned(),
            does: "Lists the files of the repository, or those below one of its folders.".to_owned(),
            takes: takes(json!({"folder": text("A folder, relative to the repository; leave it out for all.")}), &[]),
        },
        Tool {
            name: "read_file".to_owned(),
            does: "Reads a text file of the repository, with line numbers.".to_owned(),
            takes: takes(
                json!({
                    "path": text("The file, relative to the repository."),
                    "from_line": whole("The first line to read; 1 if left out."),
                    "lines": whole("How many lines to read; 800 at most, and if left out."),
                }),
                &["path"],
            ),
        },
        Tool {
            name: "search_text".to_owned(),
            does:
                "Finds the lines of the repository's text files that hold a text, literally. Letters match in either \
                case if the text has no capital."
                    .to_owned(),
            takes: takes(
                json!({
                    "text": text("What to find."),
                    "within": text("A folder or file to look in; leave it out for all."),
                }),
                &["text"],
            ),
        },
    ]
}

/// Reads what a model asks for.
///
/// # Errors
/// What is wrong with it, to be told to the model.
pub fn wish(name: &str, input: &str) -> Result<Wish, String> {
    /// All that any tool takes.
    #[derive(Deserialize, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Taken {
        folder: Option<String>,
        path: Option<String>,
        from_line: Option<u64>,
        lines: Option<u64>,
        text: Option<String>,
        within: Option<String>,
    }
    if !OWN.contains(&name) {
        return Err(format!("there is no tool {name:?}: there are {}", OWN.join(", ")));
    }
    let input = if input.trim().is_empty() { "{}" } else { input };
    let taken: Taken = serde_json::from_str(input).map_err(|error| format!("{name} cannot read its input: {error}"))?;
    let needs = |what: &str, given: Option<String>| {
        given.filter(|text| !text.is_empty()).ok_or_else(|| format!("{name} needs {what}"))
    };
    let whole = |given: Option<u64>| given.map(|n| usize::try_from(n).unwrap_or(usize::MAX).max(1));
    match name {
        "list_files" => Ok(Wish::List { folder: taken.folder.unwrap_or_default() }),
        "read_file" => Ok(Wish::Read {
            path: needs("path", taken.path)?,
            from: whole(taken.from_line).unwrap_or(1),
            lines: whole(taken.lines).unwrap_or(LINES_MAX).min(LINES_MAX),
        }),
        _ => Ok(Wish::Search { text: needs("text", taken.text)?, within: taken.within.unwrap_or_default() }),
    }
}

impl Wish {
    /// Says in a few words what is asked for.
    pub fn in_short(&self) -> &str {
        match self {
            Wish::List { folder } if folder.is_empty() => ".",
            Wish::List { folder } => folder,
            Wish::Read { path, .. } => path,
            Wish::Search { text, .. } => text,
        }
    }
}

/// Writes some lines of a file with their numbers, in at most `max` bytes, and what comes after them.
pub fn numbered(text: &str, from: usize, lines: usize, max: usize) -> String {
    let all = text.lines().count();
    let mut out = String::new();
    let mut next = from;
    for (at, line) in text.lines().enumerate().skip(from.saturating_sub(1)).take(lines) {
        if out.len() + line.len() > max {
            let room = max.saturating_sub(out.len());
            if out.is_empty() {
                let end = line.char_indices().map(|(i, _)| i).take_while(|i| *i <= room).last().unwrap_or(0);
                out = format!("{}\t{} (… the line goes on)\n", at + 1, &line[..end]);
                next = at + 2;
            }
            break;
        }
        out.push_str(&format!("{}\t{line}\n", at + 1));
        next = at + 2;
    }
    match all {
        0 => "(the file is empty)\n".to_owned(),
        _ if from > all => format!("(the file has only {all} lines)\n"),
        _ if next <= all => out + &format!("(… {all} lines in all; go on with from_line = {next})\n"),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_asks_for_is_read_or_refused_in_words_that_it_can_use() {
        let read = |from, lines| Ok(Wish::Read { path: "a.rs".into(), from, lines });
        let table = [
            ("list_files", "", Ok(Wish::List { folder: String::new() })),
            ("list_files", r#"{"folder":"src"}"#, Ok(Wish::List { folder: "src".into() })),
            ("read_file", r#"{"path":"a.rs"}"#, read(1, LINES_MAX)),
            ("read_file", r#"{"path":"a.rs","from_line":0,"lines":99999}"#, read(1, LINES_MAX)),
            ("read_file", r#"{"path":"a.rs","from_line":7,"lines":2}"#, read(7, 2)),
            ("search_text", r#"{"text":"x"}"#, Ok(Wish::Search { text: "x".into(), within: String::new() })),
        ];
        for (name, input, wanted) in table {
            assert_eq!(wish(name, input), wanted, "{name} {input}");
        }
        for (name, input, why) in [
            ("read_file", "{}", "needs path"),
            ("search_text", r#"{"text":""}"#, "needs text"),
            ("read_file", "{", "cannot read its input"),
            ("read_file", r#"{"path":"a","write":true}"#, "unknown field"),
            ("run_shell", r#"{"command":"x"}"#, "there is no tool"),
        ] {
            let said = wish(name, input).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn every_tool_that_is_told_is_understood() {
        for tool in tools() {
            let given = r#"{"path":"a","text":"b"}"#;
            assert!(OWN.contains(&&*tool.name) && wish(&tool.name, given).is_ok(), "{}", tool.name);
            assert_eq!(tool.takes["type"], "object");
        }
    }

    #[test]
    fn lines_are_numbered_and_what_is_left_is_told() {
        assert_eq!(numbered("a\nb\nc\n", 1, 9, 99), "1\ta\n2\tb\n3\tc\n");
        assert_eq!(numbered("a\nb\nc\n", 2, 1, 99), "2\tb\n(… 3 lines in all; go on with from_line = 3)\n");
        assert_eq!(numbered("a\nb\nc\n", 1, 9, 5), "1\ta\n2\tb\n(… 3 lines in all; go on with from_line = 3)\n");
        assert_eq!(
            numbered("ééééé\nb\n", 1, 9, 5),
            "1\téé (… the line goes on)\n(… 2 lines in all; go on with from_line = 2)\n"
        );
        assert_eq!(numbered("a\n", 5, 9, 99), "(the file has only 1 lines)\n");
        assert_eq!(numbered("", 1, 9, 99), "(the file is empty)\n");
    }
}
