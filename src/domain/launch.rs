//! From what is configured to what is started for one turn: the places of a command are filled in.
//!
//! Pure: it must not look at the disk or the environment. What fills a place is ours or was checked: the model and the
//! folders come from the config and this machine, a schema is written by us, and a session's name was found harmless.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::preset::preset;
use super::run::{Launch, Limits, Private, Wanted};
use super::settings::{self, program};
use super::stream::Session;

/// Longest schema that is put into a command: one argument may have 128 KiB on Linux. A longer one stands in the prompt
/// alone.
const INLINE_MAX: usize = 100 << 10;

/// The schema's file in the turn's own folder.
const SCHEMA_FILE: &str = "schema.json";

/// Where a turn is taken.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The repository, absolute.
    pub repo: &'a Path,
    /// The worktree that it may change, absolute; without one it changes nothing.
    pub worktree: Option<&'a Path>,
    /// The turn's own folder, absolute; it is made only if it is needed.
    pub private: &'a Path,
}

/// Returns what to start for a turn.
pub fn launch(
    of: &settings::Launch,
    places: Places<'_>,
    limits: Limits,
    wanted: &Wanted,
    session: Option<&Session>,
) -> Launch {
    made(of, places, limits, &Schema::of(&of.schema_args, wanted), session)
}

/// Returns what to start for all turns of an agent that is spoken to over the Agent Client Protocol: no schema and no
/// session stands in its command.
pub fn spoken(of: &settings::Launch, places: Places<'_>, limits: Limits) -> Launch {
    made(of, places, limits, &Schema::none(), None)
}

fn made(
    of: &settings::Launch,
    places: Places<'_>,
    limits: Limits,
    schema: &Schema,
    session: Option<&Session>,
) -> Launch {
    let known = of.preset.as_deref().and_then(preset);
    let mut words = of.command.clone();
    if let (Some(known), Some(_)) = (known, places.worktree) {
        // Only the preset's own words: what the user added stays.
        for word in words.iter_mut().take(known.command.len()) {
            if let Some((_, instead)) = known.writes.iter().find(|(read, _)| read == word) {
                (*instead).clone_into(word);
            }
        }
    }
    if let Some(first) = words.first_mut() {
        *first = program(first, places.repo).to_string_lossy().into_owned();
    }
    if schema.fits() {
        words.extend(of.schema_args.iter().cloned());
    }
    if session.is_some() {
        words.extend(of.resume_args.iter().cloned());
    }
    let private = places.private.to_string_lossy();
    let repo = places.worktree.unwrap_or(places.repo).to_string_lossy();
    let mut fills: BTreeMap<&str, &str> = BTreeMap::new();
    fills.insert("{repo}", &repo);
    fills.insert("{private}", &private);
    let schema_file = format!("{private}/{SCHEMA_FILE}");
    fills.insert("{schema_file}", &schema_file);
    fills.insert("{strict_schema_file}", &schema_file);
    fills.insert("{schema}", &schema.text);
    fills.insert("{session}", session.map_or("", |session| session.id.as_str()));
    let command: Vec<String> = words.iter().map(|word| filled(word, &fills)).collect();
    let given = of.env.iter().map(|(name, value)| (name.clone(), String::from(value.clone())));
    let env: BTreeMap<String, String> = given.map(|(name, value)| (name, filled(&value, &fills))).collect();
    let (is_outside, own) = known.map_or((false, &[][..]), |known| match of.transport.manner() {
        Some(_) => (known.acp.is_outside, known.acp.files),
        None => (known.is_outside, known.files),
    });
    let mut files = files(own, &fills);
    if schema.is_file {
        files.insert(SCHEMA_FILE.to_owned(), schema.text.clone());
    }
    let needs_private = is_outside || !files.is_empty() || env.values().any(|value| value.starts_with(&*private));
    Launch {
        command,
        env,
        env_pass: of.env_pass.clone(),
        cwd: if is_outside { private.to_string() } else { repo.to_string() },
        transport: of.transport.clone(),
        private: needs_private.then(|| Private { folder: private.to_string(), files }),
        limits,
    }
}

fn files(files: &[(&str, &str)], fills: &BTreeMap<&str, &str>) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| ((*name).to_owned(), filled(text, fills))).collect()
}

/// Fills the places of one text. What fills a place is not looked at again.
fn filled(text: &str, fills: &BTreeMap<&str, &str>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let found = fills.iter().find(|(place, _)| from.starts_with(**place));
        let (taken, put) = found.map_or((1, "{"), |(place, fill)| (place.len(), fill));
        out.push_str(put);
        rest = &from[taken..];
    }
    out + rest
}

/// The schema as a command asks for it.
struct Schema {
    text: String,
    is_file: bool,
    is_asked: bool,
}

impl Schema {
    fn none() -> Self {
        Self { text: String::new(), is_file: false, is_asked: false }
    }

    fn of(args: &[String], wanted: &Wanted) -> Self {
        let asks = |place: &str| args.iter().any(|word| word.contains(place));
        let text = if asks("{strict_schema_file}") {
            strict(wanted.schema()).to_string()
        } else if args.is_empty() {
            String::new()
        } else {
            wanted.schema().to_string()
        };
        Self { text, is_file: asks("{strict_schema_file}") || asks("{schema_file}"), is_asked: !args.is_empty() }
    }

    fn fits(&self) -> bool {
        self.is_asked && (self.is_file || self.text.len() <= INLINE_MAX)
    }
}

/// Words of a schema that strict output refuses.
const REFUSED: [&str; 3] = ["uniqueItems", "default", "title"];

/// Writes a schema in the shape that strict structured output takes (OpenAI, "Structured Outputs", supported schemas):
/// every object closed and all of its members required, no choice beside members, nothing beside a reference. What may
/// be left out is null or empty instead: the types of what is optional allow that.
pub fn strict(mut schema: Value) -> Value {
    tighten(&mut schema);
    schema
}

fn tighten(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(target) = map.get("$ref").cloned() {
                map.clear();
                map.insert("$ref".into(), target);
                return;
            }
            REFUSED.iter().for_each(|word| drop(map.remove(*word)));
            if let Some(choice) = map.remove("oneOf") {
                map.insert("anyOf".into(), choice);
            }
            if let Some(Value::Object(members)) = map.get("properties") {
                let names: Vec<Value> = members.keys().map(|name| json!(name)).collect();
                map.remove("anyOf");
                map.insert("required".into(), Value::Array(names));
                map.insert("additionalProperties".into(), json!(false));
            }
            if let Some(constant) = map.get("const").cloned()
                && !map.contains_key("type")
            {
                map.insert("type".into(), json!(if constant.is_boolean() { "boolean" } else { "string" }));
            }
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("properties" | "$defs", Value::Object(named)) => named.values_mut().for_each(tighten),
                    ("enum" | "required" | "const", _) => {}
                    (_, value) => tighten(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tighten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::artifact::{Expect, answer_schema};
    use crate::domain::round;
    use crate::domain::settings::EnvValue;
    use crate::domain::stage::Stage;
    use crate::domain::stream::{Transport, Usage};

    fn wanted(topics: usize) -> Wanted {
        let topics = (0..topics).map(|n| format!("D-{n:03}")).collect();
        Wanted::Artifact(Expect { stage: Stage::Plan, topics, sent: Vec::new() })
    }

    fn places() -> Places<'static> {
        Places { repo: Path::new("/repo"), worktree: None, private: Path::new("/cache/t") }
    }

    fn of_preset(name: &str) -> settings::Launch {
        let preset = preset(name).unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        settings::Launch {
            command: words(preset.command),
            env: preset.env.iter().map(|(k, v)| ((*k).to_owned(), EnvValue::from((*v).to_owned()))).collect(),
            schema_args: words(preset.schema),
            resume_args: words(preset.resume),
            preset: Some(name.to_owned()),
            ..settings::Launch::default()
        }
    }

    fn made(name: &str, session: Option<&str>, topics: usize) -> Launch {
        let session = session.map(|id| Session { id: id.to_owned(), used: Usage::default() });
        launch(&of_preset(name), places(), Limits::default(), &wanted(topics), session.as_ref())
    }

    #[test]
    fn claude_takes_the_schema_in_its_command_and_a_session_at_the_end() {
        let made = made("claude", Some("s-1"), 2);
        let end = &made.command[made.command.len() - 4..];
        assert_eq!((end[0].as_str(), end[2].as_str(), end[3].as_str()), ("--json-schema", "--resume", "s-1"));
        assert_eq!(
            serde_json::from_str::<Value>(&end[1]).unwrap(),
            answer_schema(Stage::Plan, &["D-000".into(), "D-001".into()])
        );
        assert_eq!((made.cwd.as_str(), made.env["TMPDIR"].as_str()), ("/repo", "/cache/t"));
        assert_eq!(made.private.map(|private| private.files.len()), Some(0));
    }

    #[test]
    fn a_schema_that_no_command_line_takes_is_left_out() {
        let made = made("claude", None, 12_000);
        assert!(!made.command.iter().any(|word| word == "--json-schema"));
        assert!(made.command.iter().map(String::len).sum::<usize>() < 1_000);
    }

    #[test]
    fn codex_finds_a_strict_schema_in_a_file_of_its_own() {
        let made = made("codex", Some("t-1"), 2);
        let end: Vec<&str> = made.command.iter().rev().take(5).rev().map(String::as_str).collect();
        assert_eq!(end, ["--output-schema", "/cache/t/schema.json", "resume", "t-1", "-"]);
        let schema: Value = serde_json::from_str(&made.private.unwrap().files["schema.json"]).unwrap();
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn gemini_works_in_a_folder_of_its_own_and_is_told_where_the_repository_is() {
        let made = made("gemini", None, 2);
        assert_eq!(made.cwd, "/cache/t");
        assert!(made.command.ends_with(&["--include-directories".into(), "/repo".into()]));
        let files = made.private.unwrap().files;
        assert!(files["GEMINI.md"].contains("the folder /repo."));
        assert!(files[".gemini/settings.json"].contains("maxAttempts"));
    }

    #[test]
    fn codex_is_spoken_to_in_a_folder_of_its_own_because_it_trusts_the_folder_of_a_session() {
        let of = settings::Launch {
            transport: Transport::Acp(Box::default()),
            command: vec!["codex-acp".into()],
            ..of_preset("codex")
        };
        let made = spoken(&of, places(), Limits::default());
        assert_eq!((made.cwd.as_str(), made.command.len()), ("/cache/t", 1));
        assert!(made.private.unwrap().files["AGENTS.md"].contains("the folder /repo."));
    }

    #[test]
    fn who_may_write_is_told_so_in_its_own_words_and_works_in_its_worktree() {
        let places = Places { worktree: Some(Path::new("/wt/ann")), ..places() };
        let made = |name| launch(&of_preset(name), places, Limits::default(), &wanted(1), None);
        let claude = made("claude");
        assert_eq!(claude.cwd, "/wt/ann");
        assert!(claude.command.contains(&"acceptEdits".into()) && !claude.command.contains(&"dontAsk".into()));
        assert!(claude.command.contains(&"Read,Grep,Glob,Edit,Write".into()));
        let codex = made("codex");
        assert!(codex.command.contains(&"workspace-write".into()) && !codex.command.contains(&"read-only".into()));
        let gemini = made("gemini");
        assert!(gemini.command.contains(&"auto_edit".into()) && !gemini.command.contains(&"plan".into()));
        assert!(gemini.command.ends_with(&["--include-directories".into(), "/wt/ann".into()]));
        // A model of that name is no mode.
        let mut named = of_preset("gemini");
        named.command.extend(["-m".to_owned(), "plan".to_owned()]);
        let made = launch(&named, places, Limits::default(), &wanted(1), None);
        assert!(made.command.contains(&"plan".into()));
    }

    #[test]
    fn what_fills_a_place_is_not_filled_again() {
        let fills = BTreeMap::from([("{a}", "{b}"), ("{b}", "x")]);
        assert_eq!(filled("{a} {b} {c} {", &fills), "{b} x {c} {");
    }

    /// What the strict shape asks for, at every level.
    fn assert_strict(schema: &Value, at: &str) {
        match schema {
            Value::Object(map) => {
                for refused in ["oneOf", "allOf", "not", "default", "patternProperties", "if"] {
                    assert!(!map.contains_key(refused), "{at}: {refused}");
                }
                if map.contains_key("$ref") {
                    assert_eq!(map.len(), 1, "{at}");
                }
                if let Some(members) = map.get("properties").and_then(Value::as_object) {
                    let required: Vec<&str> =
                        map["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                    assert_eq!(required, members.keys().map(String::as_str).collect::<Vec<_>>(), "{at}");
                    assert_eq!(map["additionalProperties"], false, "{at}");
                    assert!(!map.contains_key("anyOf"), "{at}");
                }
                for (key, value) in map {
                    match (key.as_str(), value) {
                        ("properties" | "$defs", Value::Object(named)) => {
                            named.iter().for_each(|(name, of)| assert_strict(of, &format!("{at}/{name}")));
                        }
                        (_, value) => assert_strict(value, &format!("{at}/{key}")),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| assert_strict(item, at)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_schema_that_is_asked_for_has_a_strict_shape() {
        for stage in Stage::RECORDED {
            assert_strict(&strict(answer_schema(stage, &["D-001".into()])), stage.name());
        }
        assert_strict(&strict(round::answer_schema(3)), "round");
    }
}
