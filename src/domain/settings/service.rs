//! A model behind an address: which API it speaks there, and what is asked of it.
//!
//! It must not know HTTP, nor hold a key: only the name of the variable that has it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A model over HTTP, as it was configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// What is spoken there.
    pub api: Api,
    /// The address below which the API lies, without a slash at its end.
    pub base_url: String,
    /// Our variable that holds the key; none: no key is sent.
    pub key_env: Option<String>,
    /// How the answer's shape is asked for.
    pub json_mode: JsonMode,
    /// Whether it may list, read and search the repository.
    pub tools: bool,
    /// What it is offered besides.
    #[serde(default, skip_serializing_if = "Lent::is_nothing")]
    pub lent: Lent,
}

/// What a model is offered of MCP servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lent {
    /// The servers, by name.
    pub servers: BTreeSet<String>,
    /// Tools, as `server__tool`, that are offered although they do not declare that they only read.
    pub tools: BTreeSet<String>,
}

impl Lent {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The APIs that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// OpenAI's Chat Completions, which most servers of models speak.
    OpenaiChat,
    /// OpenAI's Responses.
    OpenaiResponses,
    /// Anthropic's Messages.
    Anthropic,
}

impl Api {
    /// All of them.
    pub const ALL: [Api; 3] = [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic];

    /// Returns its name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Api::OpenaiChat => "openai-chat",
            Api::OpenaiResponses => "openai-responses",
            Api::Anthropic => "anthropic",
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the shape of an answer is asked for, besides the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonMode {
    /// With the answer's schema.
    JsonSchema,
    /// As any JSON object.
    JsonObject,
    /// Not at all.
    None,
}

impl JsonMode {
    /// All of them.
    pub const ALL: [JsonMode; 3] = [JsonMode::JsonSchema, JsonMode::JsonObject, JsonMode::None];

    /// Returns its name in a config.
    pub fn name(self) -> &'static str {
        match self {
            JsonMode::JsonSchema => "json_schema",
            JsonMode::JsonObject => "json_object",
            JsonMode::None => "none",
        }
    }
}

/// A program that serves models on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Its name as a preset.
    pub name: &'static str,
    /// The program.
    pub program: &'static str,
    /// The address that it has if nobody changed it.
    pub base_url: &'static str,
}

/// The servers of models that are known by name; all speak [`Api::OpenaiChat`].
pub const LOCAL: [Local; 4] = [
    Local { name: "llama.cpp", program: "llama-server", base_url: "http://127.0.0.1:8080/v1" },
    Local { name: "ollama", program: "ollama", base_url: "http://127.0.0.1:11434/v1" },
    Local { name: "vllm", program: "vllm", base_url: "http://127.0.0.1:8000/v1" },
    Local { name: "lmstudio", program: "lms", base_url: "http://127.0.0.1:1234/v1" },
];

/// Finds a server of models by its name as a preset.
pub fn local(name: &str) -> Option<&'static Local> {
    LOCAL.iter().find(|local| local.name == name)
}

impl Service {
    /// Returns the address that questions are sent to.
    pub fn endpoint(&self) -> String {
        let base = &self.base_url;
        match self.api {
            Api::OpenaiChat => format!("{base}/chat/completions"),
            Api::OpenaiResponses => format!("{base}/responses"),
            // Both are in use: with the version in the base, and without.
            Api::Anthropic if base.ends_with("/v1") => format!("{base}/messages"),
            Api::Anthropic => format!("{base}/v1/messages"),
        }
    }

    /// Tells whether the address is one of this machine: what is asked there costs nobody anything, and no proxy is
    /// between.
    pub fn is_here(&self) -> bool {
        is_here(&self.base_url)
    }
}

/// Tells whether an address is one of this machine.
pub fn is_here(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((bracketed, _)) => bracketed,
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Says why an address cannot be used as a base, if so: nothing secret may stand in it, because it is shown and kept.
pub fn unusable(url: &str) -> Option<&'static str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Some("it holds a user or a key");
    }
    url.contains(['?', '#']).then_some("it has a part behind a ? or #")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(api: Api, base_url: &str) -> Service {
        Service {
            api,
            base_url: base_url.into(),
            key_env: None,
            json_mode: JsonMode::JsonSchema,
            tools: true,
            lent: Lent::default(),
        }
    }

    #[test]
    fn each_api_has_its_own_place_below_the_base() {
        let table = [
            (Api::OpenaiChat, "https://a.example/v1", "https://a.example/v1/chat/completions"),
            (Api::OpenaiResponses, "https://a.example/v1", "https://a.example/v1/responses"),
            (Api::Anthropic, "https://a.example", "https://a.example/v1/messages"),
            (Api::Anthropic, "https://a.example/v1", "https://a.example/v1/messages"),
        ];
        for (api, base, endpoint) in table {
            assert_eq!(service(api, base).endpoint(), endpoint);
        }
    }

    #[test]
    fn only_an_address_of_this_machine_is_here() {
        for here in ["http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:1/v1", "http://127.9.9.9"] {
            assert!(service(Api::OpenaiChat, here).is_here(), "{here}");
        }
        for away in
            ["https://api.example.com/v1", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.x"]
        {
            assert!(!service(Api::OpenaiChat, away).is_here(), "{away}");
        }
    }

    #[test]
    fn an_address_that_may_hold_a_secret_is_not_used() {
        assert!(unusable("https://me:pw@a.example/v1").is_some());
        assert!(unusable("https://a.example/v1?key=x").is_some());
        assert_eq!(unusable("https://a.example/v1/@me"), None);
    }

    #[test]
    fn names_are_what_a_config_and_json_say() {
        for api in Api::ALL {
            assert_eq!(serde_json::to_value(api).unwrap(), api.name());
        }
        for mode in JsonMode::ALL {
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.name());
        }
    }
}
