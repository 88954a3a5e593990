//! What of a panel stands on this machine before anything is configured: agent programs, adapters, servers of models; and
//! the next step from there.
//!
//! It must not know how anything is found, nor hold a credential: only the name of what signs a program in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::preset::{PRESETS, preset};
use super::safe::Safe;

/// What was found on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Agent programs on PATH, in the order in which they are known.
    pub programs: Vec<Program>,
    /// What speaks the Agent Client Protocol for one of them: its program, and the preset that it is for.
    pub adapters: Vec<(String, String)>,
    /// The servers of models that are looked for.
    pub servers: Vec<ModelServer>,
}

/// An agent program on PATH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Whose models it usually talks to.
    pub family: String,
    /// What it would be signed in by.
    pub access: Access,
    /// Its version.
    pub version: Sight<Safe>,
}

/// By what a program is signed in, as far as can be told without reading anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// By this variable, or this file below the home folder.
    SignedIn(String),
    /// There is no sign of any; this command would sign it in. There are other places (a keychain), so this is a guess.
    NoSign(String),
    /// There is no preset for it: it has to be described.
    NoPreset,
}

/// Something that is asked for and comes later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sight<T> {
    /// It has not answered yet.
    Looking,
    /// What it answered.
    Seen(T),
    /// Why there is no answer.
    Unseen(Safe),
}

impl<T> From<Result<T, Safe>> for Sight<T> {
    fn from(answer: Result<T, Safe>) -> Self {
        answer.map_or_else(Sight::Unseen, Sight::Seen)
    }
}

/// A server of models on this machine that is known by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelServer {
    /// Its name as a preset.
    pub name: String,
    /// The address that it has if nobody changed it.
    pub base_url: String,
    /// The models that it says it serves.
    pub models: Sight<Vec<Safe>>,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spot {
    /// What is on PATH.
    Path,
    /// What version the program of this name says it has.
    Version(String),
    /// What models the server of this name serves.
    Models(String),
}

/// What was seen there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// What is on PATH, and what is asked next.
    Path(Machine),
    /// What a program says, or why it says nothing.
    Version(String, Result<Safe, Safe>),
    /// What a server says, or why it says nothing.
    Models(String, Result<Vec<Safe>, Safe>),
}

impl Machine {
    /// Takes in what was seen, and returns where to look next.
    pub fn learn(&mut self, news: News) -> Vec<Spot> {
        match news {
            News::Path(machine) => {
                *self = machine;
                return self.spots();
            }
            News::Version(name, version) => {
                if let Some(program) = self.programs.iter_mut().find(|program| program.name == name) {
                    program.version = version.into();
                }
            }
            News::Models(name, models) => {
                if let Some(server) = self.servers.iter_mut().find(|server| server.name == name) {
                    server.models = models.into();
                }
            }
        }
        Vec::new()
    }

    /// Returns where there is something to ask for.
    pub fn spots(&self) -> Vec<Spot> {
        let versions = self.programs.iter().map(|program| Spot::Version(program.name.clone()));
        versions.chain(self.servers.iter().map(|server| Spot::Models(server.name.clone()))).collect()
    }

    /// Tells whether something has not answered yet.
    pub fn is_looking(&self) -> bool {
        self.programs.iter().any(|program| program.version == Sight::Looking)
            || self.servers.iter().any(|server| server.models == Sight::Looking)
    }

    /// Returns the servers that answered, each with the first model that it named.
    pub fn serving(&self) -> impl Iterator<Item = (&ModelServer, &Safe, usize)> {
        self.servers.iter().filter_map(|server| match &server.models {
            Sight::Seen(models) => Some((server, models.first()?, models.len())),
            Sight::Looking | Sight::Unseen(_) => None,
        })
    }

    /// Returns who would be on the panel that `init` writes: programs with a preset that need no model named, and
    /// servers that answered.
    pub fn panel(&self) -> Vec<&str> {
        let sits = |program: &&Program| preset(&program.name).is_some_and(|known| !known.needs_model);
        let programs = self.programs.iter().filter(sits).map(|program| program.name.as_str());
        programs.chain(self.serving().map(|(server, _, _)| server.name.as_str())).collect()
    }

    /// Returns the families of that panel. A server's family is its own: whose model it serves only the user knows.
    pub fn families(&self) -> BTreeSet<&str> {
        let panel = self.panel();
        let of = |name: &'_ str| self.programs.iter().find(|program| program.name == name);
        panel.into_iter().map(|name| of(name).map_or(name, |program| program.family.as_str())).collect()
    }

    /// Returns the first thing that a person would do to get a panel that can differ, if there is one to do.
    pub fn missing(&self) -> Option<String> {
        if self.families().len() < 2 {
            let is_there = |name: &str| self.programs.iter().any(|program| program.name == name);
            let other = PRESETS.iter().find(|preset| !is_there(preset.name) && !preset.needs_model)?;
            return Some(other.install.to_owned());
        }
        self.programs.iter().find_map(|program| match &program.access {
            Access::NoSign(sign_in) => Some(format!("{}: {sign_in}", program.name)),
            Access::SignedIn(_) | Access::NoPreset => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, family: &str, access: Access) -> Program {
        Program { name: name.into(), family: family.into(), access, version: Sight::Looking }
    }

    fn server(name: &str) -> ModelServer {
        ModelServer { name: name.into(), base_url: "http://127.0.0.1:1/v1".into(), models: Sight::Looking }
    }

    fn signed_in() -> Access {
        Access::SignedIn("$KEY".into())
    }

    #[test]
    fn each_thing_is_looked_at_once_and_waited_for_until_it_answers() {
        let found = Machine {
            programs: vec![program("claude", "anthropic", signed_in())],
            servers: vec![server("ollama")],
            ..Machine::default()
        };
        let mut machine = Machine::default();
        assert!(!machine.is_looking());
        let next = machine.learn(News::Path(found));
        assert_eq!(next, [Spot::Version("claude".into()), Spot::Models("ollama".into())]);
        assert!(machine.is_looking());
        assert!(machine.learn(News::Version("claude".into(), Ok(Safe::line("2.1")))).is_empty());
        assert!(machine.is_looking(), "the server has not answered");
        machine.learn(News::Models("ollama".into(), Err(Safe::line("nothing listens there"))));
        assert!(!machine.is_looking());
        machine.learn(News::Version("gone".into(), Ok(Safe::line("1"))));
        assert_eq!(machine.programs.len(), 1, "what was not found on PATH is not made up");
    }

    #[test]
    fn only_who_could_be_asked_as_it_stands_is_a_voice() {
        let mut machine = Machine {
            programs: vec![
                program("claude", "anthropic", signed_in()),
                program("opencode", "opencode", signed_in()),
                program("goose", "goose", Access::NoPreset),
            ],
            servers: vec![server("ollama"), server("vllm")],
            ..Machine::default()
        };
        machine.learn(News::Models("ollama".into(), Ok(vec![Safe::line("qwen3:8b")])));
        machine.learn(News::Models("vllm".into(), Ok(Vec::new())));
        assert_eq!(machine.panel(), ["claude", "ollama"], "opencode needs a model, vllm serves none");
        assert_eq!(machine.families().into_iter().collect::<Vec<_>>(), ["anthropic", "ollama"]);
    }

    #[test]
    fn what_is_missing_is_a_second_voice_and_then_a_sign_in() {
        let mut machine = Machine::default();
        assert_eq!(machine.missing().as_deref(), Some(preset("claude").unwrap().install));
        machine.programs.push(program("claude", "anthropic", signed_in()));
        assert_eq!(machine.missing().as_deref(), Some(preset("codex").unwrap().install));
        machine.programs.push(program("codex", "openai", Access::NoSign("codex login".into())));
        assert_eq!(machine.missing().as_deref(), Some("codex: codex login"));
        machine.programs[1].access = signed_in();
        assert_eq!(machine.missing(), None);
    }
}
