//! The one table of every key: its shape, its default, what it means, and whether this version does it.
//!
//! The loader refuses what is not in it, fills in its defaults, and the manual is printed from it. It must not know
//! files or layers.

use super::shape::Shape;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it stands: `[]` follows a list of tables, `<…>` is a name that the user chooses.
    pub path: &'static str,
    /// What it takes.
    pub shape: Shape,
    /// What holds when nobody sets it.
    pub default: Otherwise,
    /// What it means, in one sentence.
    pub means: &'static str,
    /// Whether setting it does something.
    pub state: State,
}

/// What holds when nobody sets a key.
#[derive(Debug, Clone, Copy)]
pub enum Otherwise {
    /// This value, as TOML.
    Value(&'static str),
    /// No value: what happens then, in words.
    Unset(&'static str),
    /// The loader asks for it.
    Required,
}

/// Whether setting a key does something in this version.
#[derive(Debug, Clone, Copy)]
pub enum State {
    /// It works.
    Works,
    /// It is refused, because it would silently do nothing; what works now instead.
    NotYet(&'static str),
}

const fn key(path: &'static str, shape: Shape, default: Otherwise, means: &'static str) -> Key {
    Key { path, shape, default, means, state: State::Works }
}

use Otherwise::{Required, Unset, Value};

/// One second to one day: longer than any turn, short enough that milliseconds never overflow.
const SECONDS: Shape = Shape::Whole { min: 1, max: 86_400 };

/// One millisecond to one day.
const MILLISECONDS: Shape = Shape::Whole { min: 1, max: 86_400_000 };

/// All keys, section by section.
pub const KEYS: &[Key] = &[
    key("agents[].name", Shape::Name, Required, "The agent's identity; unique."),
    key(
        "agents[].preset",
        Shape::Choice {
            now: &["claude", "codex", "gemini", "opencode", "qwen", "llama.cpp", "ollama", "vllm", "lmstudio"],
            later: &["crush"],
        },
        Unset("none"),
        "A known agent CLI, ready-made: how it is started so that it only reads, how its output is read, how it goes on \
         with a session; it sets `kind` and `family`. Or a server of models on this machine (`llama.cpp`, `ollama`, \
         `vllm`, `lmstudio`): it sets `kind`, `api` and `base_url`.",
    ),
    key(
        "agents[].kind",
        Shape::Choice { now: &["command", "acp", "api", "replay", "memory"], later: &[] },
        Required,
        "How it is reached: a program that is started for each turn (`command`), one that speaks the Agent Client Protocol \
         and is kept warm for a run (`acp`), a model over HTTP (`api`), a written session played at its pace (`replay`), or \
         somebody else's machine that answers through the memory server (`memory`). A preset sets it; `acp` beside the \
         preset of a CLI speaks to that.",
    ),
    key(
        "agents[].family",
        Shape::Name,
        Required,
        "Its vendor or model line; each family has one vote. A preset sets it.",
    ),
    key(
        "agents[].command",
        Shape::Argv,
        Unset("required for kinds `command` and `acp`; with a preset, its own program"),
        "The program and its arguments: the prompt comes on stdin, the answer is read from stdout. A program with a `/` \
         is taken from the repository. With a preset it is what its program is started by, and the preset's arguments \
         follow.",
    ),
    key(
        "agents[].api",
        Shape::Choice { now: &["openai-chat", "openai-responses", "anthropic"], later: &[] },
        Unset("required for kind `api`"),
        "What is spoken at `base_url`: OpenAI's Chat Completions, which most servers speak, OpenAI's Responses, or \
         Anthropic's Messages. Replies are streamed.",
    ),
    key(
        "agents[].base_url",
        Shape::Url,
        Unset("required for kind `api`"),
        "The address below which the API lies, for example `http://127.0.0.1:8080/v1`. No key may stand in it.",
    ),
    key(
        "agents[].api_key_env",
        Shape::EnvName,
        Unset("no key is sent"),
        "The variable of ours that holds the key for `base_url`. Its value goes into one header, and is blanked wherever \
         text is kept or shown.",
    ),
    key(
        "agents[].json_mode",
        Shape::Choice { now: &["json_schema", "json_object", "none"], later: &[] },
        Value("\"json_schema\""),
        "How the answer's shape is asked for, besides the prompt: with its schema, as any JSON object, or not at all. For \
         servers that refuse the schema.",
    ),
    key(
        "agents[].tools",
        Shape::Flag,
        Value("true"),
        "Whether a model over HTTP may list, read and search the repository's files, as far as git does not ignore them. \
         For models that cannot call tools: `false`.",
    ),
    key(
        "agents[].mcp",
        Shape::Texts,
        Value("[]"),
        "MCP servers whose tools a model over HTTP is offered besides, as `server__tool`: those that declare that they only \
         read (`readOnlyHint`). The embedded memory is called `memory`.",
    ),
    key(
        "agents[].mcp_tools",
        Shape::Texts,
        Value("[]"),
        "Tools of these servers, as `server__tool`, that are offered although they do not declare that.",
    ),
    key("agents[].args", Shape::Texts, Value("[]"), "Arguments added after `command`, or after a preset's own."),
    key(
        "agents[].schema_args",
        Shape::Texts,
        Value("[]"),
        "Arguments that ask for an answer that fits a JSON Schema: `{schema}` is the schema, `{schema_file}` a file that \
         holds it, `{strict_schema_file}` one with every field required and nothing else allowed.",
    ),
    key(
        "agents[].resume_args",
        Shape::Texts,
        Value("[]"),
        "Arguments at the end of the command that go on with a session, named by `{session}`: for the repair of an \
         answer and for the round. Without them each turn stands alone.",
    ),
    key(
        "agents[].script",
        Shape::Path,
        Unset("required for kind `replay`"),
        "The script that kind `replay` plays, relative to the repository.",
    ),
    key(
        "agents[].model",
        Shape::Text,
        Unset("none"),
        "The model: with a preset the one that it is started with, with kind `api` the one that is asked (required), else a \
         label on screen.",
    ),
    key(
        "agents[].mode",
        Shape::Text,
        Unset("with a preset, the one in which it only reads; else the agent's own"),
        "The session mode that an agent of kind `acp` is put in before it is asked; one that it does not offer ends its \
         turn.",
    ),
    key(
        "agents[].write_mode",
        Shape::Text,
        Unset("with a preset, the one in which it asks before each change; else the agent's own"),
        "The session mode that an agent of kind `acp` is put in instead where it may change files.",
    ),
    key(
        "agents[].on_permission",
        Shape::Choice { now: &["ask", "reject"], later: &[] },
        Value("\"ask\""),
        "What happens when an agent of kind `acp` asks for permission: a person is asked on screen (`ask`), or it is \
         refused. What would change files is refused unless it is in the agent's own worktree, and everything else where nobody \
         can be asked.",
    ),
    key("agents[].role", Shape::Text, Unset("none"), "What its prompt asks it to be, for example `architect`."),
    key(
        "agents[].stages",
        Shape::Stages,
        Value(r#"["plan", "tasks", "implement", "validate", "audit", "unlock"]"#),
        "The stages at which it is asked.",
    ),
    key(
        "agents[].transport",
        Shape::Choice { now: &["text", "json", "jsonl"], later: &[] },
        Value("\"text\""),
        "How it answers: `text` takes the artifact's JSON from stdout, with or without prose around it; `json` reads the \
         whole of stdout as one JSON value and `jsonl` each line of it, by the rules in `extract`.",
    ),
    key(
        "agents[].extract.<field>",
        Shape::Rules,
        Unset("not read"),
        "Where the output of transport `json` or `jsonl` holds something, as `PATH if CONDITIONS`. Values: `delta`, \
         `text`, `answer`, `structured`, `error`, `http_status`, `retry_after_ms`, `retry`, `session`, `doing`, `tool`, \
         `tool_input`, `tool_output`, `input_tokens`, `cached_tokens`, `output_tokens`, `cost_usd`, `session_cost_usd`. Conditions alone: \
         `ok` (required), `failed`, `counts_session`.",
    ),
    key(
        "agents[].env",
        Shape::Env,
        Value("{}"),
        "Variables set for it. A value that is a whole `$NAME` stands for our own variable of that name, read when the \
         agent is started.",
    ),
    key(
        "agents[].env_pass",
        Shape::EnvNames,
        Value(r#"["HOME", "PATH"]"#),
        "Which of our own variables it sees; `PREFIX_*` passes all that start so. It sees no other. With a preset they \
         come on top of the preset's own.",
    ),
    key("agents[].timeouts.start_s", SECONDS, Value("20"), "Seconds until it has taken the prompt."),
    key("agents[].timeouts.first_event_s", SECONDS, Value("60"), "Seconds from the prompt to its first output."),
    key("agents[].timeouts.idle_s", SECONDS, Value("180"), "Seconds between two pieces of output."),
    key("agents[].timeouts.total_s", SECONDS, Value("600"), "Seconds for the whole turn."),
    key(
        "agents[].timeouts.kill_grace_s",
        Shape::Whole { min: 0, max: 60 },
        Value("3"),
        "Seconds from asking it to stop to killing its process group.",
    ),
    key(
        "agents[].retry.max",
        Shape::Whole { min: 0, max: 10 },
        Value("2"),
        "How often it is asked again after a failure that may pass.",
    ),
    key(
        "agents[].retry.base_ms",
        MILLISECONDS,
        Value("1000"),
        "The first delay in milliseconds; it doubles each time.",
    ),
    key("agents[].retry.cap_ms", MILLISECONDS, Value("30000"), "The longest delay in milliseconds."),
    key(
        "agents[].max_parallel",
        Shape::Whole { min: 1, max: 64 },
        Value("2"),
        "How many agents of its family run at once; the smallest one set in a family holds.",
    ),
    key(
        "agents[].writes",
        Shape::Stages,
        Value("[]"),
        "Where it may change files: `[\"implement\"]`, in a git worktree of its own, or nowhere. Of the presets, `claude`, \
         `codex` and `gemini` can; with kind `acp` `claude` and `gemini`.",
    ),
    key(
        "agents[].max_output_tokens",
        Shape::Whole { min: 1, max: 10_000_000 },
        Value("16000"),
        "How many tokens a turn is reckoned to write at most, when the budget is checked before it. No program is told; \
         a model over HTTP is, for each of its replies.",
    ),
    key(
        "mcp_servers.<name>.command",
        Shape::Text,
        Unset("required, unless `url` is set"),
        "The program of an MCP server that speaks over its standard streams.",
    ),
    key("mcp_servers.<name>.args", Shape::Texts, Unset("none"), "Its arguments."),
    key(
        "mcp_servers.<name>.env",
        Shape::Env,
        Unset("none"),
        "Variables set for it; a whole `$NAME` is our own variable.",
    ),
    key(
        "mcp_servers.<name>.cwd",
        Shape::Path,
        Unset("the repository"),
        "The folder it is started in, relative to the repository.",
    ),
    key("mcp_servers.<name>.startup_timeout_sec", SECONDS, Value("15"), "Seconds that its handshake may take."),
    key("mcp_servers.<name>.tool_timeout_sec", SECONDS, Value("5"), "Seconds that one call may take."),
    key(
        "mcp_servers.<name>.url",
        Shape::Url,
        Unset("required, unless `command` is set"),
        "The address of an MCP server that speaks over streamable HTTP.",
    ),
    key(
        "mcp_servers.<name>.bearer_token_env_var",
        Shape::EnvName,
        Unset("no token is sent"),
        "The variable of ours that holds the token for `url`.",
    ),
    key(
        "mcp_servers.<name>.http_headers",
        Shape::Env,
        Unset("none"),
        "Headers sent to `url` with every request; a whole `$NAME` is our own variable.",
    ),
    key(
        "mcp_servers.<name>.env_http_headers",
        Shape::EnvNamesByHeader,
        Unset("none"),
        "Headers whose values are taken from variables of ours, by their names.",
    ),
    key(
        "memory.server",
        Shape::Name,
        Value("\"memory\""),
        "Which of the MCP servers is the memory. If none is called `memory`, the embedded one is used.",
    ),
    key(
        "memory.profile",
        Shape::Choice { now: &["dicast", "local-memory", "server-memory"], later: &[] },
        Value("\"dicast\""),
        "Which tools the memory server offers.",
    ),
    key(
        "checks.<name>.argv",
        Shape::Argv,
        Required,
        "A command that settles a claim when it is run; `{id}` becomes the test's id. It runs only when approved. \
         What the build files of cargo, go, npm, vitest, jest, pytest and make offer is found by itself.",
    ),
    key(
        "guardrails.<stage>.before",
        Shape::Argvs,
        Value("[]"),
        "Commands that must succeed before anybody is asked. They run in the working copy, only when approved.",
    ),
    key(
        "guardrails.<stage>.after",
        Shape::Argvs,
        Value("[]"),
        "Commands that must succeed after the stage; at validate they run before the verdict, and a failed one strikes \
         every PASS.",
    ),
    key("guardrails.<stage>.timeout_s", SECONDS, Value("600"), "Seconds that one of these commands may take."),
    key(
        "guardrails.<stage>.clean_tree",
        Shape::Flag,
        Value("false"),
        "Whether the working copy must have no uncommitted change before the stage; our own files do not count.",
    ),
    key(
        "consensus.agree",
        Shape::Ratio,
        Value("\"2/3\""),
        "The share of the voting families that must stand behind a value.",
    ),
    key(
        "consensus.quorum",
        Shape::Quorum,
        Value("\"2/3\""),
        "The share of the expected families that must have answered (at least two), or `solo`: one is enough, in plan, \
         tasks and implement.",
    ),
    key(
        "consensus.merge_threshold",
        Shape::Ratio,
        Value("\"6/10\""),
        "How alike two free texts must be to count as one claim.",
    ),
    key(
        "consensus.round",
        Shape::Choice { now: &["auto", "off"], later: &[] },
        Value("\"auto\""),
        "Whether the panel is asked once about what stands open.",
    ),
    key(
        "stages.<stage>.allow_degraded",
        Shape::Flag,
        Unset("plan, tasks, implement and validate go on in `auto` and still exit 6; audit and unlock stop"),
        "Whether a verdict with a missing agent advances with exit 0.",
    ),
    key(
        "stages.<stage>.allow_hollow",
        Shape::Flag,
        Unset("plan, tasks, implement and validate go on in `auto` and still exit 5; audit and unlock stop"),
        "Whether a verdict that rests on assertions alone advances with exit 0.",
    ),
    key(
        "context.files",
        Shape::InsideFiles,
        Unset("AGENTS.md, else CLAUDE.md, else GEMINI.md, and the constitution, where they exist"),
        "Files of the repository that every agent is given alike.",
    ),
    key("run.deadline_s", SECONDS, Value("1200"), "Seconds that a run may take."),
    key(
        "run.on_hangup",
        Shape::Choice { now: &["stop", "detach"], later: &[] },
        Value("\"stop\""),
        "What happens to a live run when the terminal goes away.",
    ),
    key(
        "mcp.import",
        Shape::Choices(super::offers::PROGRAMS),
        Value("[\"claude\", \"codex\", \"gemini\"]"),
        "Programs whose MCP servers are offered; none is started before `dicast trust approve --server NAME`.",
    ),
    key(
        "gates.before_plan",
        Shape::Gates,
        Value(r#"["clarify", "checklist", "analyze"]"#),
        "The gates that are held before the plan stage; what is critical asks a person.",
    ),
    key("gates.after_plan", Shape::Gates, Value(r#"["analyze"]"#), "The gates that are held once the plan is there."),
    key(
        "gates.after_tasks",
        Shape::Gates,
        Value(r#"["analyze"]"#),
        "The gates that are held once the task list is there.",
    ),
    key("gates.before_unlock", Shape::Gates, Value(r#"["analyze"]"#), "The gates that are held before unlock."),
    key(
        "budget.run_usd",
        Shape::Usd,
        Value("\"2.00\""),
        "The most that a run may cost. Before each turn its prompt and `max_output_tokens` are reckoned at the model's \
         price; a turn that may cost more than is left is not begun, and its agent counts as `budget`.",
    ),
    key(
        "budget.allow_unpriced",
        Shape::Flag,
        Value("true"),
        "Whether an agent is asked that is paid by the token and of which nobody can tell what it costs: neither its \
         program nor [prices]. On as it stands: few keys have a price here, so a first run would stop at each of them; \
         such an agent is said to be unpriced, never counted as $0, and bounded by its time and its longest answer. Where \
         no such turn may be paid for, set it to false.",
    ),
    key(
        "prices.<model>.input_per_mtok_usd",
        Shape::Usd,
        Required,
        "The price of a million tokens read, for agents whose `model` is so called; it counts instead of what a program \
         says of its cost.",
    ),
    key("prices.<model>.output_per_mtok_usd", Shape::Usd, Required, "The price of a million tokens written."),
    key(
        "evidence.root",
        Shape::Path,
        Value("\".dicast/evidence\""),
        "The folder of the evidence, relative to the repository or absolute.",
    ),
    key(
        "evidence.lock_timeout_ms",
        MILLISECONDS,
        Value("10000"),
        "Milliseconds to try for a lock that somebody else holds.",
    ),
    key(
        "evidence.redact_env",
        Shape::EnvGlobs,
        Value(r#"["*_KEY", "*_TOKEN"]"#),
        "Variables whose values are blanked wherever text is kept; `*` stands for any letters.",
    ),
    key(
        "worktrees.root",
        Shape::Path,
        Value("\".dicast/worktrees\""),
        "The folder of the worktrees in which agents change files, relative to the repository or absolute.",
    ),
    key(
        "worktrees.quota_mb",
        Shape::Whole { min: 1, max: 1_000_000 },
        Value("4096"),
        "MiB that the worktrees may take together, looked at before each is made, and one alone, looked at while it is written to.",
    ),
];

/// What stands at a place of the tree.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    /// A key with a value.
    Leaf(&'static Key),
    /// A table with keys below it.
    Section,
    /// A list of tables with keys below each.
    Sections,
}

/// A step down the tree: the pattern of what was found, and what it is. None: there is no such key.
pub(super) fn step(pattern: &str, word: &str) -> Option<(String, Slot)> {
    let below = children(pattern);
    let segment = below
        .iter()
        .find(|segment| segment.trim_end_matches("[]") == word)
        .or_else(|| below.iter().find(|segment| segment.starts_with('<')))?;
    let found = join(pattern, segment);
    let slot = match KEYS.iter().find(|key| key.path == found) {
        Some(key) => Slot::Leaf(key),
        None if segment.ends_with("[]") => Slot::Sections,
        None => Slot::Section,
    };
    Some((found, slot))
}

/// Returns the segments that may follow a pattern, in the order of the table.
pub(super) fn children(pattern: &str) -> Vec<&'static str> {
    let mut segments = Vec::new();
    for key in KEYS {
        let rest = if pattern.is_empty() {
            Some(key.path)
        } else {
            key.path.strip_prefix(pattern).and_then(|rest| rest.strip_prefix('.'))
        };
        if let Some(segment) = rest.and_then(|rest| rest.split('.').next())
            && !segments.contains(&segment)
        {
            segments.push(segment);
        }
    }
    segments
}

/// Joins a pattern and a segment with a dot.
pub(super) fn join(pattern: &str, segment: &str) -> String {
    if pattern.is_empty() { segment.to_owned() } else { format!("{pattern}.{segment}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::{Layer, Origin, parse_value};

    #[test]
    fn every_default_is_a_value_of_its_own_shape() {
        for key in KEYS {
            if let Value(text) = key.default {
                let origin = Origin { layer: Layer::Default, place: key.path.into() };
                let node = parse_value(text, &origin).unwrap_or_else(|| panic!("{}: {text}", key.path));
                assert_eq!(key.shape.check(&node, key.path), Ok(()), "{}", key.path);
                assert_eq!(node.toml(), text, "{}", key.path);
            }
        }
    }

    #[test]
    fn keys_are_unique_and_none_is_both_a_value_and_a_section() {
        for (i, key) in KEYS.iter().enumerate() {
            for other in &KEYS[i + 1..] {
                assert_ne!(key.path, other.path);
                assert!(!other.path.starts_with(&format!("{}.", key.path)), "{} {}", key.path, other.path);
            }
        }
    }

    #[test]
    fn a_step_finds_keys_sections_and_chosen_names() {
        assert!(matches!(step("", "agents"), Some((p, Slot::Sections)) if p == "agents[]"));
        assert!(matches!(step("agents[]", "retry"), Some((p, Slot::Section)) if p == "agents[].retry"));
        assert!(matches!(step("checks", "any"), Some((p, Slot::Section)) if p == "checks.<name>"));
        assert!(
            matches!(step("checks.<name>", "argv"), Some((_, Slot::Leaf(key))) if key.path == "checks.<name>.argv")
        );
        assert!(step("checks.<name>", "args").is_none());
        assert!(step("", "agent").is_none());
    }
}
