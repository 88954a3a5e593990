//! Which tools a kind of memory server offers, and how its answers are read: data, one table a profile.
//!
//! An operation is a tool, a template of its arguments, and where its answer holds entries. A placeholder that is the
//! whole of a string becomes the value itself, so that a list stays a list. It must not know what entries mean, and
//! not how a server is reached.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::actors::mcp::Tool;
use crate::domain::failure::Failure;
use crate::domain::memory::{Entry, Held, Profile};

/// Most entries that one search brings, where the server can be told: far above agents times attempts of one stage.
const MOST: u32 = 1_000;

/// Exit code for a config that does not fit.
const USAGE: u8 = 64;

/// Everything that is particular to one kind of server.
#[derive(Debug)]
pub(super) struct Ways {
    /// Stores an entry.
    pub(super) store: Way,
    /// Finds one entry, to be compared with what was stored.
    pub(super) find: Way,
    /// Finds entries by tags and words.
    pub(super) search: Way,
    /// Whether storing the same key twice is harmless. If not, it is looked for before.
    pub(super) is_keyed: bool,
    /// Whether a search gives the newest first.
    pub(super) newest_first: bool,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Way {
    /// The tool.
    pub(super) tool: &'static str,
    /// Its arguments, as JSON with placeholders.
    args: &'static str,
    /// Where its answer holds entries, as a JSON pointer.
    items: &'static str,
    /// How one of them is read.
    reading: Reading,
}

/// How an entry is read from an item of an answer.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// Fields `content` and `tags` of the object at this JSON pointer.
    Fields(&'static str),
    /// The same, with the tags as the first line of the content too: such servers find by words, and do not always give
    /// tags back. Whoever stores without that line is understood as well.
    Headed(&'static str),
    /// A list `observations`: the content is the one that is a JSON object, else the last; the others are tags.
    Observations,
    /// There is none: the tool only acknowledges.
    None,
}

/// The tools of `dicast memory serve`.
const DICAST: Ways = Ways {
    store: Way {
        tool: "store_memory",
        args: r#"{"key": "{{key}}", "content": "{{content}}", "tags": "{{tags}}"}"#,
        items: "",
        reading: Reading::None,
    },
    find: Way { tool: "get", args: r#"{"key": "{{key}}"}"#, items: "", reading: Reading::Fields("") },
    search: Way {
        tool: "search",
        args: r#"{"query": "{{words}}", "tags": "{{tags}}", "limit": "{{limit}}"}"#,
        items: "",
        reading: Reading::Fields("/memory"),
    },
    is_keyed: true,
    newest_first: true,
};

/// `store_memory` and `search`, as the servers of the `local-memory` family have them: no keys, and a search wants
/// words that stand in the content.
const LOCAL_MEMORY: Ways = Ways {
    store: Way {
        tool: "store_memory",
        args: r#"{"content": "{{headed}}", "tags": "{{tags}}", "domain": "dicast", "importance": 8}"#,
        items: "",
        reading: Reading::None,
    },
    find: LOCAL_SEARCH,
    search: LOCAL_SEARCH,
    is_keyed: false,
    newest_first: true,
};

const LOCAL_SEARCH: Way = Way {
    tool: "search",
    args: r#"{"query": "{{words or tags}}", "tags": "{{tags}}", "limit": "{{limit}}", "search_type": "hybrid"}"#,
    items: "",
    reading: Reading::Headed("/memory"),
};

/// npm's `@modelcontextprotocol/server-memory`: an entry is an entity, its tags and its content are observations. A
/// search there looks for the whole query as a part of one name or observation: one tag at a time.
const SERVER_MEMORY: Ways = Ways {
    store: Way {
        tool: "create_entities",
        args: r#"{"entities": [{"name": "{{key}}", "entityType": "dicast", "observations": "{{lines}}"}]}"#,
        items: "",
        reading: Reading::None,
    },
    find: Way {
        tool: "open_nodes",
        args: r#"{"names": ["{{key}}"]}"#,
        items: "/entities",
        reading: Reading::Observations,
    },
    search: Way {
        tool: "search_nodes",
        args: r#"{"query": "{{last tag}}"}"#,
        items: "/entities",
        reading: Reading::Observations,
    },
    is_keyed: true,
    newest_first: false,
};

/// Returns the ways of a profile.
pub(super) fn ways(profile: Profile) -> &'static Ways {
    match profile {
        Profile::Dicast => &DICAST,
        Profile::LocalMemory => &LOCAL_MEMORY,
        Profile::ServerMemory => &SERVER_MEMORY,
    }
}

impl Ways {
    fn all(&self) -> [&Way; 3] {
        [&self.store, &self.find, &self.search]
    }

    /// Checks that a server's tools can do it all.
    ///
    /// # Errors
    /// A usage failure that names the tool or argument, what there is instead, and the key to change.
    pub(super) fn fit(&self, profile: Profile, server: &str, tools: &[Tool]) -> Result<(), Failure> {
        self.all().into_iter().try_for_each(|way| way.fit(tools)).map_err(|why| Failure::BadInput {
            place: "memory.profile".into(),
            why: format!("MCP server {server} does not fit the profile {}: {why}", profile.name()),
            next: format!(
                "set memory.profile to what the server offers ({}), or memory.server to another one",
                Profile::ALL.map(Profile::name).join(", ")
            ),
            exit: USAGE,
        })
    }
}

impl Way {
    fn fit(&self, tools: &[Tool]) -> Result<(), String> {
        let Some(tool) = tools.iter().find(|tool| tool.name == self.tool) else {
            let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(format!("it has no tool {} (there: {there})", self.tool));
        };
        let template = self.template();
        let given: BTreeSet<&str> = template.keys().map(String::as_str).collect();
        if let Some(lacking) = tool.required.iter().find(|name| !given.contains(name.as_str())) {
            return Err(format!("its tool {} wants {lacking}, which is not given", self.tool));
        }
        // A tool that does not say what it takes may take anything.
        let unknown = given.iter().find(|name| !tool.known.is_empty() && !tool.known.contains(**name));
        match unknown {
            Some(name) => {
                let known: Vec<&str> = tool.known.iter().map(String::as_str).collect();
                Err(format!("its tool {} takes no {name} (it takes {})", self.tool, known.join(", ")))
            }
            None => Ok(()),
        }
    }

    fn template(&self) -> Map<String, Value> {
        // Our own constants, each read in a test.
        serde_json::from_str(self.args).unwrap_or_default()
    }

    /// Fills the template for one entry.
    pub(super) fn of_entry(&self, entry: &Entry) -> Value {
        let lines: Vec<&str> = entry.tags.iter().map(String::as_str).chain([&*entry.content]).collect();
        self.filled(&|name| match name {
            "key" => Some(json!(entry.key)),
            "content" => Some(json!(entry.content)),
            "headed" => Some(json!(format!("{}\n{}", entry.tags.join(" "), entry.content))),
            "lines" => Some(json!(lines)),
            _ => by_tags("", &entry.tags, name),
        })
    }

    /// Fills the template for a search: the most telling tag comes last.
    pub(super) fn of_search(&self, words: &str, tags: &[String]) -> Value {
        self.filled(&|name| by_tags(words, tags, name))
    }

    fn filled(&self, value: &dyn Fn(&str) -> Option<Value>) -> Value {
        Value::Object(self.template().into_iter().map(|(name, part)| (name, fill(part, value))).collect())
    }

    /// Reads the entries in an answer; `null` is the answer where there is none.
    ///
    /// # Errors
    /// What is wrong with the answer, in words.
    pub(super) fn read(&self, answer: &Value) -> Result<Vec<Held>, String> {
        let items = answer.pointer(self.items).ok_or_else(|| format!("{} is not in the answer", self.items))?;
        match items {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => items.iter().map(|item| self.reading.of(item)).collect(),
            item @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                Ok(vec![self.reading.of(item)?])
            }
        }
    }
}

impl Reading {
    fn of(self, item: &Value) -> Result<Held, String> {
        let texts = |list: Option<&Value>| {
            let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>()
        };
        match self {
            Reading::Fields(at) => {
                let fields = item.pointer(at).ok_or_else(|| format!("an entry has no {at}"))?;
                let content = fields.get("content").and_then(Value::as_str).ok_or("an entry has no content")?;
                Ok(Held { content: content.to_owned(), tags: texts(fields.get("tags")) })
            }
            Reading::Headed(at) => {
                let mut held = Reading::Fields(at).of(item)?;
                let is_name = |name: &str| !name.is_empty() && name.chars().all(char::is_alphanumeric);
                let is_tag = |word: &str| word.split_once(':').is_some_and(|(name, _)| is_name(name));
                if let Some((head, content)) = held.content.split_once('\n')
                    && head.split(' ').all(is_tag)
                {
                    held.tags.extend(head.split(' ').map(str::to_owned));
                    held.content = content.to_owned();
                }
                Ok(held)
            }
            Reading::Observations => {
                let mut tags = texts(item.get("observations"));
                let at = tags.iter().position(|line| line.starts_with('{')).or_else(|| tags.len().checked_sub(1));
                let content = at.map(|at| tags.remove(at)).ok_or("an entity has no observations")?;
                Ok(Held { content, tags })
            }
            Reading::None => Err("the tool gives no entries back".into()),
        }
    }
}

fn by_tags(words: &str, tags: &[String], name: &str) -> Option<Value> {
    match name {
        "words" => Some(json!(words)),
        "words or tags" if words.is_empty() => {
            let values = tags.iter().filter(|tag| tag.starts_with("spec:") || tag.starts_with("stage:"));
            let values: Vec<&str> = values.filter_map(|tag| Some(tag.split_once(':')?.1)).collect();
            Some(json!(values.join(" ")))
        }
        "words or tags" => Some(json!(words)),
        "tags" => Some(json!(tags)),
        "last tag" => Some(json!(tags.last())),
        "limit" => Some(json!(MOST)),
        _ => None,
    }
}

/// Replaces each string that is nothing but a placeholder by its value.
fn fill(part: Value, value: &dyn Fn(&str) -> Option<Value>) -> Value {
    match part {
        Value::String(text) => {
            let name = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
            name.and_then(value).unwrap_or(Value::String(text))
        }
        Value::Array(parts) => parts.into_iter().map(|part| fill(part, value)).collect(),
        Value::Object(parts) => parts.into_iter().map(|(name, part)| (name, fill(part, value))).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry { key: "k".into(), content: "{\"a\":1}".into(), tags: vec!["spec:S".into(), "stage:plan".into()] }
    }

    fn tool(name: &str, required: &[&str], known: &[&str]) -> Tool {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Tool {
            name: name.into(),
            required: set(required),
            known: set(known),
            does: String::new(),
            takes: serde_json::Value::Null,
            only_reads: false,
        }
    }

    #[test]
    fn every_template_is_json_and_every_placeholder_is_filled() {
        for profile in Profile::ALL {
            for way in ways(profile).all() {
                assert!(!way.template().is_empty(), "{way:?}");
                let filled = if way.args.contains("{{key}}") || matches!(way.reading, Reading::None) {
                    way.of_entry(&entry())
                } else {
                    way.of_search("w", &entry().tags)
                };
                assert!(!filled.to_string().contains("{{"), "{filled}");
            }
        }
    }

    #[test]
    fn lists_stay_lists() {
        let stored = ways(Profile::ServerMemory).store.of_entry(&entry());
        assert_eq!(stored["entities"][0]["observations"], json!(["spec:S", "stage:plan", "{\"a\":1}"]));
        let sought = ways(Profile::LocalMemory).search.of_search("", &entry().tags);
        assert_eq!(sought["tags"], json!(["spec:S", "stage:plan"]));
        assert_eq!(sought["query"], "S plan");
        assert_eq!(ways(Profile::ServerMemory).search.of_search("", &entry().tags), json!({"query": "stage:plan"}));
    }

    #[test]
    fn entries_are_read_where_each_kind_of_server_puts_them() {
        let held = Held { content: "{\"a\":1}".into(), tags: vec!["spec:S".into()] };
        let fields = json!({"content": "{\"a\":1}", "tags": ["spec:S"], "id": "1"});
        let dicast = ways(Profile::Dicast);
        assert_eq!(dicast.find.read(&fields), Ok(vec![held.clone()]));
        assert_eq!(dicast.find.read(&Value::Null), Ok(vec![]));
        assert_eq!(dicast.search.read(&json!([{"memory": fields, "score": 1}])), Ok(vec![held.clone()]));
        assert_eq!(dicast.search.read(&json!([])), Ok(vec![]));
        let entity = json!({"name": "k", "observations": ["spec:S", "{\"a\":1}"]});
        assert_eq!(ways(Profile::ServerMemory).find.read(&json!({"entities": [entity]})), Ok(vec![held]));
    }

    #[test]
    fn the_head_of_a_content_is_its_tags_and_whoever_writes_none_is_understood() {
        let local = ways(Profile::LocalMemory);
        let stored = local.store.of_entry(&entry());
        assert_eq!(stored["content"], "spec:S stage:plan\n{\"a\":1}");
        let back = |content: &Value, tags: Value| {
            let answer = json!([{"memory": {"content": content, "tags": tags}}]);
            local.search.read(&answer).unwrap().remove(0)
        };
        let held = Held { content: "{\"a\":1}".into(), tags: entry().tags };
        assert_eq!(back(&stored["content"], Value::Null), held, "without tags in the answer");
        let plain = "{\"a\": {\n\"b\": 1}}";
        assert_eq!(back(&json!(plain), json!(["x:y"])), Held { content: plain.into(), tags: vec!["x:y".into()] });
    }

    #[test]
    fn an_answer_of_another_shape_is_refused_in_words() {
        assert!(ways(Profile::Dicast).search.read(&json!([{"text": "x"}])).unwrap_err().contains("/memory"));
        assert!(ways(Profile::Dicast).find.read(&json!("gone")).unwrap_err().contains("content"));
        assert!(ways(Profile::ServerMemory).find.read(&json!([])).unwrap_err().contains("/entities"));
    }

    #[test]
    fn what_a_server_lacks_is_named_with_what_it_has_and_the_key_to_change() {
        let misfit = |tools: &[Tool]| {
            let failure = ways(Profile::ServerMemory).fit(Profile::ServerMemory, "mem", tools).unwrap_err();
            format!("{failure} → {}", failure.hint())
        };
        let said = misfit(&[tool("store_memory", &[], &[]), tool("get", &[], &[])]);
        for part in ["memory.profile", "mem", "server-memory", "create_entities", "store_memory, get", "local-memory"] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        assert!(misfit(&[]).contains("there: none"));
        let wants_more = [tool("create_entities", &["entities", "project"], &["entities", "project"])];
        assert!(misfit(&wants_more).contains("wants project"));
        let takes_less = [tool("create_entities", &[], &["things"])];
        assert!(misfit(&takes_less).contains("takes no entities (it takes things)"));
    }

    #[test]
    fn a_server_that_does_not_say_what_its_tools_take_is_taken_at_its_word() {
        let tools = ["create_entities", "open_nodes", "search_nodes"].map(|name| tool(name, &[], &[]));
        assert_eq!(ways(Profile::ServerMemory).fit(Profile::ServerMemory, "mem", &tools), Ok(()));
    }
}
