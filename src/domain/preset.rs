//! The agent CLIs that come ready-made: how each is started so that it only reads, how its output is read, how it goes
//! on with a session, and what it needs. Data, verified by running the versions that `.ci/real-parts` installs.
//!
//! It must not know configs or processes. In command words and values stand: `{model}`, `{schema}` (the answer's JSON
//! Schema), `{schema_file}` (a file that holds it), `{strict_schema_file}` (one in the
//! shape that strict output takes), `{session}`, `{repo}` and `{private}` (a folder of the turn's own,
//! outside the repository, that is there only while it is at work).

use super::stream::Dialect;

/// One ready-made agent CLI.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Its name, and its program's.
    pub name: &'static str,
    /// The family of the models that it usually talks to.
    pub family: &'static str,
    /// How it is started: the prompt comes on stdin, nothing is changed, nothing of the repository's own is run.
    pub command: &'static [&'static str],
    /// What chooses a model.
    pub model: &'static [&'static str],
    /// Whether it must be told a model: without one it would choose somebody's, and send everything there.
    pub needs_model: bool,
    /// What asks for an answer that follows a schema; empty where it cannot.
    pub schema: &'static [&'static str],
    /// What goes on with a session; the last words of the command.
    pub resume: &'static [&'static str],
    /// Variables set for it.
    pub env: &'static [(&'static str, &'static str)],
    /// Our own variables that it sees, besides [`PASSED`]; `NAME if OTHER` is seen only where the other one is set.
    pub env_pass: &'static [&'static str],
    /// Files in its private folder.
    pub files: &'static [(&'static str, &'static str)],
    /// What its command says instead where it may write, word for word; empty where it is not known to keep to a folder.
    pub writes: &'static [(&'static str, &'static str)],
    /// Whether it works in its private folder instead of the repository.
    pub is_outside: bool,
    /// Seconds of silence that are usual for it, if more than the default.
    pub idle_s: Option<i64>,
    /// How its output is read.
    pub reads: &'static [(&'static str, &'static str)],
    /// What it needs to be signed in: any of these.
    pub credentials: &'static [Credential],
    /// How to install it.
    pub install: &'static str,
    /// How to sign in.
    pub sign_in: &'static str,
    /// How it is spoken to over the Agent Client Protocol, by itself or by an adapter.
    pub acp: Spoken,
}

/// How an agent CLI is spoken to over the Agent Client Protocol; its families, variables, files and folder are those of
/// its preset.
#[derive(Debug, Clone, Copy)]
pub struct Spoken {
    /// How it, or its adapter, is started.
    pub command: &'static [&'static str],
    /// What chooses a model: arguments.
    pub model: &'static [&'static str],
    /// What chooses a model: a variable, with `{model}` in its value.
    pub model_env: Option<(&'static str, &'static str)>,
    /// The session mode in which it only reads.
    pub mode: &'static str,
    /// What a session is opened with besides; JSON.
    pub extra: Option<&'static str>,
    /// The session mode in which it asks before each change of a file, where it may write; none where it is not known to
    /// ask, or to keep to its folder.
    pub write_mode: Option<&'static str>,
    /// What a session is opened with instead, where it may write; JSON.
    pub write_extra: Option<&'static str>,
    /// Whether it says what its sessions cost.
    pub tells_cost: bool,
    /// Files in its private folder.
    pub files: &'static [(&'static str, &'static str)],
    /// Whether it works in its private folder instead of the repository.
    pub is_outside: bool,
    /// How to install it.
    pub install: &'static str,
}

/// Seconds that an agent of kind `acp` may take to start: several load a runtime and ask for a session first.
pub const SPOKEN_START_S: i64 = 60;

/// Something by which a CLI is signed in. Only whether it is there is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A variable with a key, or one that chooses a cloud: what is used is paid by the token.
    Key(&'static str),
    /// A variable with the sign-in of a plan.
    Plan(&'static str),
    /// A file below the home folder, left by signing in with a plan.
    File(&'static str),
    /// A file below the home folder that keeps keys: what is used is paid by the token.
    Stored(&'static str),
}

/// Our own variables that every preset sees: where things are, how to speak, how to get out.
pub const PASSED: [&str; 18] = [
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TZ",
    "XDG_*",
    "SSL_CERT_*",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Variables that hold secrets by which presets are signed in to a cloud; those of [`Preset::credentials`] are besides.
pub const CLOUD_SECRETS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// What a program is told that works in its private folder.
const ELSEWHERE: &str = "The repository that you are asked about is the folder {repo}. Every path in the question is relative \
    to it. The folder that you were started in is empty and of no interest.\n";

/// All presets.
pub const PRESETS: [Preset; 5] = [CLAUDE, CODEX, GEMINI, OPENCODE, QWEN];

/// Claude Code: its own structured output is a tool that validates, so what it gives is checked twice.
const CLAUDE: Preset = Preset {
    name: "claude",
    family: "anthropic",
    command: &[
        "claude",
        "-p",
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
        "--permission-mode",
        "dontAsk",
        "--tools",
        "Read,Grep,Glob",
        "--setting-sources",
        "user",
        "--strict-mcp-config",
    ],
    model: &["--model", "{model}"],
    needs_model: false,
    schema: &["--json-schema", "{schema}"],
    resume: &["--resume", "{session}"],
    env: &[
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("CLAUDE_CODE_MAX_RETRIES", "2"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("TMPDIR", "{private}"),
    ],
    env_pass: &[
        "ANTHROPIC_*",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CONFIG_DIR",
        // Only who asks through a cloud shows it that cloud's keys.
        "AWS_ACCESS_KEY_ID if CLAUDE_CODE_USE_BEDROCK",
        "AWS_BEARER_TOKEN_BEDROCK if CLAUDE_CODE_USE_BEDROCK",
        "AWS_CA_BUNDLE if CLAUDE_CODE_USE_BEDROCK",
        "AWS_CONFIG_FILE if CLAUDE_CODE_USE_BEDROCK",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN if CLAUDE_CODE_USE_BEDROCK",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI if CLAUDE_CODE_USE_BEDROCK",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI if CLAUDE_CODE_USE_BEDROCK",
        "AWS_DEFAULT_REGION if CLAUDE_CODE_USE_BEDROCK",
        "AWS_PROFILE if CLAUDE_CODE_USE_BEDROCK",
        "AWS_REGION if CLAUDE_CODE_USE_BEDROCK",
        "AWS_ROLE_ARN if CLAUDE_CODE_USE_BEDROCK",
        "AWS_SECRET_ACCESS_KEY if CLAUDE_CODE_USE_BEDROCK",
        "AWS_SESSION_TOKEN if CLAUDE_CODE_USE_BEDROCK",
        "AWS_SHARED_CREDENTIALS_FILE if CLAUDE_CODE_USE_BEDROCK",
        "AWS_WEB_IDENTITY_TOKEN_FILE if CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_SKIP_BEDROCK_AUTH if CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_SKIP_VERTEX_AUTH if CLAUDE_CODE_USE_VERTEX",
        "CLOUDSDK_CONFIG if CLAUDE_CODE_USE_VERTEX",
        "CLOUD_ML_REGION if CLAUDE_CODE_USE_VERTEX",
        "GCLOUD_PROJECT if CLAUDE_CODE_USE_VERTEX",
        "GOOGLE_APPLICATION_CREDENTIALS if CLAUDE_CODE_USE_VERTEX",
        "GOOGLE_CLOUD_PROJECT if CLAUDE_CODE_USE_VERTEX",
        "VERTEX_REGION_* if CLAUDE_CODE_USE_VERTEX",
    ],
    files: &[],
    writes: &[("dontAsk", "acceptEdits"), ("Read,Grep,Glob", "Read,Grep,Glob,Edit,Write")],
    is_outside: false,
    idle_s: None,
    reads: &[
        ("delta", "event.delta.text if type=stream_event and event.delta.type=text_delta"),
        ("answer", "result if type=result"),
        ("structured", "structured_output if type=result"),
        ("ok", "type=result and subtype=success and not is_error"),
        ("failed", "type=result and is_error"),
        ("failed", "type=result and not subtype=success"),
        ("error", "result if type=result and is_error"),
        ("error", "errors[] if type=result"),
        ("http_status", "api_error_status if type=result"),
        ("retry", "error if type=system and subtype=api_retry"),
        ("retry_after_ms", "retry_delay_ms if type=system and subtype=api_retry and error_status=429"),
        ("session", "session_id if type=result"),
        ("tool", "message.content[type=tool_use].name if type=assistant"),
        ("tool_input", "message.content[type=tool_use].input if type=assistant"),
        ("tool_output", "message.content[type=tool_result].content if type=user"),
        ("input_tokens", "usage.input_tokens if type=result"),
        ("input_tokens", "usage.cache_read_input_tokens if type=result"),
        ("input_tokens", "usage.cache_creation_input_tokens if type=result"),
        ("cached_tokens", "usage.cache_read_input_tokens if type=result"),
        ("output_tokens", "usage.output_tokens if type=result"),
        ("cost_usd", "total_cost_usd if type=result"),
    ],
    credentials: &[
        Credential::Key("ANTHROPIC_API_KEY"),
        Credential::Key("ANTHROPIC_AUTH_TOKEN"),
        Credential::Key("CLAUDE_CODE_USE_BEDROCK"),
        Credential::Key("CLAUDE_CODE_USE_VERTEX"),
        Credential::Plan("CLAUDE_CODE_OAUTH_TOKEN"),
        Credential::File(".claude/.credentials.json"),
    ],
    install: "npm install -g @anthropic-ai/claude-code",
    sign_in: "run `claude` and sign in, or set ANTHROPIC_API_KEY",
    acp: Spoken {
        command: &["claude-agent-acp"],
        model: &[],
        model_env: Some(("ANTHROPIC_MODEL", "{model}")),
        // Its own mode "plan" wants to leave it before it answers; it is not offered what changes anything.
        mode: "default",
        extra: Some(
            "{\"claudeCode\":{\"options\":{\"settingSources\":[\"user\"],\"strictMcpConfig\":true,\
             \"tools\":[\"Read\",\"Grep\",\"Glob\"]}}}",
        ),
        write_mode: Some("default"),
        write_extra: Some(
            "{\"claudeCode\":{\"options\":{\"settingSources\":[\"user\"],\"strictMcpConfig\":true,\
             \"tools\":[\"Read\",\"Grep\",\"Glob\",\"Edit\",\"Write\"]}}}",
        ),
        tells_cost: true,
        files: &[],
        is_outside: false,
        install: "npm install -g @agentclientprotocol/claude-agent-acp",
    },
};

/// Codex: its sandbox is the kernel's; it says nothing while it thinks, so its silences may be long. Where it may write it
/// would write all of `/tmp` too, and a repository may lie there; it has a folder for temporary files of its own.
const CODEX: Preset = Preset {
    name: "codex",
    family: "openai",
    command: &[
        "codex",
        "exec",
        "--json",
        "--sandbox",
        "read-only",
        "--skip-git-repo-check",
        "-c",
        "sandbox_workspace_write.exclude_slash_tmp=true",
    ],
    model: &["-m", "{model}"],
    needs_model: false,
    schema: &["--output-schema", "{strict_schema_file}"],
    resume: &["resume", "{session}", "-"],
    env: &[("TMPDIR", "{private}")],
    env_pass: &["CODEX_*", "OPENAI_*"],
    files: &[],
    writes: &[("read-only", "workspace-write")],
    is_outside: false,
    idle_s: Some(600),
    reads: &[
        ("text", "item.text if type=item.completed and item.type=agent_message"),
        ("ok", "type=turn.completed"),
        ("failed", "type=turn.failed"),
        ("error", "error.message if type=turn.failed"),
        ("error", "message if type=error"),
        ("retry", "message if type=error"),
        ("session", "thread_id if type=thread.started"),
        ("tool", "item.type if type=item.started and item.type=command_execution"),
        ("tool_input", "item.command if type=item.started and item.type=command_execution"),
        ("tool_output", "item.aggregated_output if type=item.completed and item.type=command_execution"),
        ("tool", "item.tool if type=item.started and item.type=mcp_tool_call"),
        ("tool_input", "item.arguments if type=item.started and item.type=mcp_tool_call"),
        ("input_tokens", "usage.input_tokens if type=turn.completed"),
        ("cached_tokens", "usage.cached_input_tokens if type=turn.completed"),
        ("output_tokens", "usage.output_tokens if type=turn.completed"),
        ("counts_session", "type=turn.completed"),
    ],
    credentials: &[Credential::Key("CODEX_API_KEY"), Credential::File(".codex/auth.json")],
    install: "npm install -g @openai/codex",
    sign_in: "run `codex login`, or set CODEX_API_KEY",
    acp: Spoken {
        command: &["codex-acp"],
        model: &[],
        model_env: Some(("CODEX_CONFIG", "{\"model\":\"{model}\"}")),
        mode: "read-only",
        extra: None,
        // It would have to trust the worktree, and with that run what the repository brings.
        write_mode: None,
        write_extra: None,
        tells_cost: false,
        // It trusts the folder of every session, and with that whatever the repository brings for it would run.
        files: &[("AGENTS.md", ELSEWHERE)],
        is_outside: true,
        install: "npm install -g @agentclientprotocol/codex-acp",
    },
};

/// What Gemini CLI finds in its folder.
const GEMINI_FILES: &[(&str, &str)] = &[
    ("GEMINI.md", ELSEWHERE),
    // As the settings of the folder: those of the system are ignored unless root alone owns the file and its folders.
    (".gemini/settings.json", "{\"general\":{\"maxAttempts\":2,\"enableAutoUpdate\":false}}\n"),
];

/// Gemini CLI: it works in an empty folder of its own that it may trust, and only reads the repository; so nothing that
/// the repository brings for it is loaded, and its question whether to trust the repository is never answered for it.
const GEMINI: Preset = Preset {
    name: "gemini",
    family: "google",
    command: &[
        "gemini",
        "--output-format",
        "stream-json",
        "--approval-mode",
        "plan",
        "--extensions",
        "none",
        "--include-directories",
        "{repo}",
    ],
    model: &["-m", "{model}"],
    needs_model: false,
    schema: &[],
    resume: &["--resume", "{session}"],
    env: &[
        ("GEMINI_CLI_NO_RELAUNCH", "true"),
        ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
        ("NO_COLOR", "1"),
        ("TERM", "xterm-256color"),
        ("TMPDIR", "{private}"),
    ],
    env_pass: &["GEMINI_API_KEY", "GOOGLE_*"],
    files: GEMINI_FILES,
    writes: &[("plan", "auto_edit")],
    is_outside: true,
    idle_s: None,
    reads: &[
        ("delta", "content if type=message and role=assistant"),
        ("ok", "type=result and status=success"),
        ("failed", "type=result and not status=success"),
        ("error", "error.message if type=result"),
        ("error", "message if type=error"),
        ("session", "session_id if type=init"),
        ("tool", "tool_name if type=tool_use"),
        ("tool_input", "parameters if type=tool_use"),
        ("tool_output", "output if type=tool_result"),
        ("input_tokens", "stats.input_tokens if type=result"),
        ("cached_tokens", "stats.cached if type=result"),
        ("output_tokens", "stats.output_tokens if type=result"),
    ],
    credentials: &[
        Credential::Key("GEMINI_API_KEY"),
        Credential::Key("GOOGLE_API_KEY"),
        Credential::Key("GOOGLE_GENAI_USE_VERTEXAI"),
        Credential::File(".gemini/oauth_creds.json"),
    ],
    install: "npm install -g @google/gemini-cli",
    sign_in: "run `gemini` and sign in, or set GEMINI_API_KEY",
    acp: Spoken {
        command: &["gemini", "--acp", "--extensions", "none", "--include-directories", "{repo}"],
        model: &["-m", "{model}"],
        model_env: None,
        mode: "plan",
        extra: None,
        write_mode: Some("default"),
        write_extra: None,
        tells_cost: false,
        files: GEMINI_FILES,
        is_outside: true,
        install: "npm install -g @google/gemini-cli",
    },
};

/// opencode: whatever its own config allows, only reading and searching is left to it here, and it works in an empty folder
/// of its own, so that the repository's `opencode.json` and plugins are never loaded. It says its text whole, at the end.
const OPENCODE: Preset = Preset {
    name: "opencode",
    family: "opencode",
    command: &["opencode", "run", "--format", "json", "--pure", "--title", "dicast"],
    model: &["-m", "{model}"],
    needs_model: true,
    schema: &[],
    resume: &["-s", "{session}"],
    env: &[
        (
            "OPENCODE_CONFIG_CONTENT",
            "{\"autoupdate\":false,\"share\":\"disabled\",\"permission\":{\"*\":\"deny\",\"read\":\"allow\",\"glob\":\"allow\",\
             \"grep\":\"allow\",\"list\":\"allow\",\"external_directory\":\"allow\"}}",
        ),
        ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
        ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1"),
        ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
        ("NO_COLOR", "1"),
        ("TMPDIR", "{private}"),
    ],
    env_pass: &["ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_*", "OPENROUTER_API_KEY"],
    files: &[("AGENTS.md", ELSEWHERE)],
    writes: &[],
    is_outside: true,
    idle_s: Some(600),
    reads: &[
        ("text", "part.text if type=text"),
        ("ok", "type=step_finish and part.reason=stop"),
        ("failed", "type=error"),
        ("error", "error.data.message if type=error"),
        ("http_status", "error.data.statusCode if type=error"),
        ("session", "sessionID if type=step_start"),
        ("tool", "part.tool if type=tool_use"),
        ("tool_input", "part.state.input if type=tool_use"),
        ("tool_output", "part.state.output if type=tool_use"),
        ("input_tokens", "part.tokens.input if type=step_finish"),
        ("input_tokens", "part.tokens.cache.read if type=step_finish"),
        ("input_tokens", "part.tokens.cache.write if type=step_finish"),
        ("cached_tokens", "part.tokens.cache.read if type=step_finish"),
        ("output_tokens", "part.tokens.output if type=step_finish"),
        ("output_tokens", "part.tokens.reasoning if type=step_finish"),
        ("cost_usd", "part.cost if type=step_finish"),
    ],
    credentials: &[
        Credential::Key("OPENAI_API_KEY"),
        Credential::Key("ANTHROPIC_API_KEY"),
        Credential::Key("OPENROUTER_API_KEY"),
        Credential::Key("GEMINI_API_KEY"),
        Credential::Stored(".local/share/opencode/auth.json"),
    ],
    install: "npm install -g opencode-ai",
    sign_in: "run `opencode auth login`",
    acp: Spoken {
        command: &["opencode", "acp", "--pure"],
        model: &[],
        model_env: Some((
            "OPENCODE_CONFIG_CONTENT",
            "{\"autoupdate\":false,\"share\":\"disabled\",\"model\":\"{model}\",\"permission\":{\"*\":\"deny\",\
             \"read\":\"allow\",\"glob\":\"allow\",\"grep\":\"allow\",\"list\":\"allow\",\"external_directory\":\"allow\"}}",
        )),
        // It is no protection by itself: what it may use stands in the variable above.
        mode: "plan",
        extra: None,
        write_mode: None,
        write_extra: None,
        tells_cost: false,
        files: &[("AGENTS.md", ELSEWHERE)],
        is_outside: true,
        install: "npm install -g opencode-ai",
    },
};

/// Qwen Code: without anything that a repository or a home adds to it, in an empty folder of its own. No schema is asked
/// for: with one, a model that answers in text fails.
const QWEN: Preset = Preset {
    name: "qwen",
    family: "alibaba",
    command: &[
        "qwen",
        "--output-format",
        "stream-json",
        "--include-partial-messages",
        "--approval-mode",
        "plan",
        "--safe-mode",
        "--exclude-tools",
        "web_fetch",
        "--exclude-tools",
        "agent",
        "--append-system-prompt",
        ELSEWHERE,
        "--include-directories",
        "{repo}",
    ],
    model: &["-m", "{model}"],
    needs_model: false,
    schema: &[],
    resume: &["--resume", "{session}"],
    env: &[("NO_COLOR", "1"), ("TERM", "xterm-256color"), ("TMPDIR", "{private}")],
    env_pass: &["DASHSCOPE_API_KEY", "OPENAI_*", "QWEN_*"],
    files: &[],
    writes: &[],
    is_outside: true,
    idle_s: None,
    reads: &[
        ("delta", "event.delta.text if type=stream_event and event.delta.type=text_delta"),
        ("answer", "result if type=result and not is_error"),
        ("ok", "type=result and subtype=success and not is_error"),
        ("failed", "type=result and is_error"),
        ("failed", "type=result and not subtype=success"),
        ("error", "error.message if type=result"),
        ("session", "session_id if type=result"),
        ("tool", "message.content[type=tool_use].name if type=assistant"),
        ("tool_input", "message.content[type=tool_use].input if type=assistant"),
        ("tool_output", "message.content[type=tool_result].content if type=user"),
        ("input_tokens", "usage.input_tokens if type=result"),
        ("cached_tokens", "usage.cache_read_input_tokens if type=result"),
        ("output_tokens", "usage.output_tokens if type=result"),
        ("counts_session", "type=result"),
    ],
    credentials: &[
        Credential::Key("OPENAI_API_KEY"),
        Credential::Key("DASHSCOPE_API_KEY"),
        Credential::File(".qwen/oauth_creds.json"),
    ],
    install: "npm install -g @qwen-code/qwen-code",
    sign_in: "run `qwen` and sign in, or set OPENAI_API_KEY (and OPENAI_BASE_URL)",
    acp: Spoken {
        command: &[
            "qwen",
            "--acp",
            "--safe-mode",
            "--exclude-tools",
            "web_fetch",
            "--exclude-tools",
            "agent",
            "--append-system-prompt",
            ELSEWHERE,
            "--include-directories",
            "{repo}",
        ],
        model: &["-m", "{model}"],
        model_env: None,
        mode: "plan",
        extra: None,
        write_mode: None,
        write_extra: None,
        tells_cost: false,
        files: &[],
        is_outside: true,
        install: "npm install -g @qwen-code/qwen-code",
    },
};

/// Returns the preset of a name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

impl Preset {
    /// Returns how its output is read.
    pub fn dialect(&self) -> Dialect {
        // The rules are ours; a test reads them all.
        Dialect::of(self.reads).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_reads_its_own_rules_and_knows_how_a_turn_ends_well() {
        for preset in PRESETS {
            let dialect = Dialect::of(preset.reads).unwrap_or_else(|bad| panic!("{}: {bad}", preset.name));
            assert!(dialect.knows_success(), "{}", preset.name);
        }
    }
}
