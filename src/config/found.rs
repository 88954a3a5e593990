//! What is there without any config: agent programs on PATH and the project's own tests.
//!
//! Nothing is executed: a name on PATH says only that there is a program of that name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::disk::text::{is_executable, is_file, on_path, read_text_capped};
use crate::domain::check::{BUILD_FILES, FileText, Tree, checks as detected};
use crate::domain::ids::AgentName;
use crate::domain::machine::{Access, Machine, ModelServer, Program, Sight};
use crate::domain::preset::{Credential, Preset, preset};
use crate::domain::settings::{Agent, AgentKind, CheckSource, CheckTemplate, LOCAL, Settings};

/// An agent CLI that this program knows by name.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The program's name.
    pub name: &'static str,
    /// The family of the models it usually talks to.
    pub family: &'static str,
}

/// The agent CLIs that are looked for; some of them have a preset of the same name.
pub const KNOWN: [Known; 7] = [
    Known { name: "claude", family: "anthropic" },
    Known { name: "codex", family: "openai" },
    Known { name: "gemini", family: "google" },
    Known { name: "opencode", family: "opencode" },
    Known { name: "qwen", family: "alibaba" },
    Known { name: "crush", family: "crush" },
    Known { name: "goose", family: "goose" },
];

/// Adapters that speak the Agent Client Protocol for an agent CLI that does not speak it itself: the adapter's program, and
/// the preset that it is for.
pub const ADAPTERS: [(&str, &str); 2] = [("claude-agent-acp", "claude"), ("codex-acp", "codex")];

/// Finds by what a preset's program is signed in: a variable that is set, or a file that is there. Neither is read.
pub fn credential(preset: &Preset, env: &BTreeMap<String, String>) -> Option<Credential> {
    preset.credentials.iter().copied().find(|credential| match credential {
        Credential::Key(name) | Credential::Plan(name) => env.get(*name).is_some_and(|value| !value.is_empty()),
        Credential::File(path) | Credential::Stored(path) => place(path, env).is_some_and(|file| is_file(&file)),
    })
}

/// Where programs keep what usually stands in a folder of the home folder, if a variable that they see says so.
const MOVED: [(&str, &str); 3] =
    [(".claude/", "CLAUDE_CONFIG_DIR"), (".codex/", "CODEX_HOME"), (".local/share/", "XDG_DATA_HOME")];

/// Returns where a file of the home folder is.
fn place(path: &str, env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(Path::new);
    let moved = MOVED.iter().find_map(|(usual, name)| Some(set(name)?.join(path.strip_prefix(usual)?)));
    moved.or_else(|| Some(set("HOME")?.join(path)))
}

/// Writes a credential as it is shown: the variable's name, or the file below the home folder.
pub fn shown(credential: Credential) -> String {
    match credential {
        Credential::Key(name) | Credential::Plan(name) => format!("${name}"),
        Credential::File(path) | Credential::Stored(path) => format!("~/{path}"),
    }
}

/// Finds what of a panel stands on this machine. Nothing is started and nobody is asked.
pub fn machine(env: &BTreeMap<String, String>) -> Machine {
    let path = env.get("PATH").map(OsStr::new);
    let is_known = |name: &str| KNOWN.iter().find(|known| known.name == name);
    let programs = find_on_path(KNOWN.iter().map(|known| known.name), path).into_iter().map(|found| Program {
        name: found.name.to_owned(),
        family: is_known(found.name).map_or(found.name, |known| known.family).to_owned(),
        access: preset(found.name).map_or(Access::NoPreset, |known| match credential(known, env) {
            Some(by) => Access::SignedIn(shown(by)),
            None => Access::NoSign(known.sign_in.to_owned()),
        }),
        version: Sight::Looking,
    });
    let adapters = find_on_path(ADAPTERS.iter().map(|(name, _)| *name), path);
    let servers = LOCAL.iter().map(|local| ModelServer {
        name: local.name.to_owned(),
        base_url: local.base_url.to_owned(),
        models: Sight::Looking,
    });
    Machine {
        programs: programs.collect(),
        adapters: ADAPTERS
            .iter()
            .filter(|(name, _)| adapters.iter().any(|found| found.name == *name))
            .map(|(name, preset)| ((*name).to_owned(), (*preset).to_owned()))
            .collect(),
        servers: servers.collect(),
    }
}

/// Finds by what the program of an agent with a preset is signed in: a key that its config gives it, or else what is
/// found for anybody.
pub fn credential_of(agent: &Agent, env: &BTreeMap<String, String>) -> Option<Credential> {
    let AgentKind::Command(launch) = &agent.kind else { return None };
    let known = launch.preset.as_deref().and_then(preset)?;
    let given = known.credentials.iter().copied().find(|credential| match credential {
        Credential::Key(name) | Credential::Plan(name) => launch.env.contains_key(*name),
        Credential::File(_) | Credential::Stored(_) => false,
    });
    given.or_else(|| credential(known, env))
}

/// Finds the agents whose user pays for a plan: no key is given to their program, and it was signed in otherwise.
pub fn on_plan(settings: &Settings, env: &BTreeMap<String, String>) -> BTreeSet<AgentName> {
    let is_on_plan =
        |agent: &&Agent| matches!(credential_of(agent, env), Some(Credential::File(_) | Credential::Plan(_)));
    settings.agents.iter().filter(is_on_plan).map(|agent| agent.name.clone()).collect()
}

/// A program on PATH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// Finds programs by name on the value of PATH, each where a shell would find it. Relative entries are passed over:
/// a program in the current folder was not chosen by the user.
pub fn find_on_path(names: impl IntoIterator<Item = &'static str>, path: Option<&OsStr>) -> Vec<Found> {
    let found = |name| on_path(name, path?).find(|file| is_executable(file)).map(|path| Found { name, path });
    names.into_iter().filter_map(found).collect()
}

/// Largest build file that is looked into, in bytes; hand-written ones stay far below.
const BUILD_FILE_MAX: u64 = 1 << 20;

/// Finds the checks that a repository's build files offer. They run only when approved.
pub fn checks(repo: &Path) -> BTreeMap<String, CheckTemplate> {
    let mut tree = Tree::default();
    for name in BUILD_FILES {
        let path = repo.join(name);
        if is_file(&path) {
            // One that cannot be read suggests only what its name does.
            let text = read_text_capped(&path, BUILD_FILE_MAX).ok().flatten().unwrap_or_default();
            tree.files.insert(name.to_owned(), FileText::text(text));
        }
    }
    let template = |argv| CheckTemplate { argv, source: CheckSource::Detected };
    detected(&tree).into_iter().map(|(name, argv)| (name, template(argv))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::text::write_atomic_text;

    #[test]
    fn a_program_is_signed_in_by_a_key_or_by_a_file_of_its_own() {
        let home = tempfile::tempdir().unwrap();
        let env = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let home = ("HOME".to_owned(), home.path().to_str().unwrap().to_owned());
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain([home]).collect()
        };
        let codex = preset("codex").unwrap();
        assert_eq!(credential(codex, &env(&[("CODEX_API_KEY", "")])), None);
        assert_eq!(credential(codex, &env(&[("CODEX_API_KEY", "k")])), Some(Credential::Key("CODEX_API_KEY")));
        write_atomic_text(&home.path().join(".codex/auth.json"), "{}").unwrap();
        assert_eq!(credential(codex, &env(&[])), Some(Credential::File(".codex/auth.json")));
        assert_eq!(credential(codex, &BTreeMap::new()), None);
        for (name, file, variable) in [
            ("codex", "auth.json", "CODEX_HOME"),
            ("claude", ".credentials.json", "CLAUDE_CONFIG_DIR"),
            ("opencode", "opencode/auth.json", "XDG_DATA_HOME"),
        ] {
            let (known, folder) = (preset(name).unwrap(), home.path().join(variable));
            let moved = env(&[(variable, folder.to_str().unwrap())]);
            assert_eq!(credential(known, &moved), None, "{name}: what is below the home folder is not used");
            write_atomic_text(&folder.join(file), "{}").unwrap();
            assert!(credential(known, &moved).is_some(), "{name}");
        }
    }

    #[test]
    fn only_who_was_signed_in_without_a_key_is_on_a_plan() {
        use crate::domain::ids::Family;
        use crate::domain::settings::Launch;
        let home = tempfile::tempdir().unwrap();
        write_atomic_text(&home.path().join(".codex/auth.json"), "{}").unwrap();
        let agent = |name: &str, env: &[&str]| {
            let env = env.iter().map(|name| ((*name).to_owned(), format!("${name}").into())).collect();
            let launch = Launch { env, preset: (name != "mine").then(|| "codex".to_owned()), ..Launch::default() };
            Agent::new(AgentName::new(name).unwrap(), Family::new("f").unwrap(), AgentKind::Command(launch))
        };
        let agents = vec![agent("signed-in", &["PATH"]), agent("by-key", &["CODEX_API_KEY"]), agent("mine", &[])];
        let settings = Settings { agents, ..Settings::default() };
        let with = |more: &[(&str, &str)]| -> Vec<String> {
            let home = [("HOME", home.path().to_str().unwrap())];
            let env = home.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            on_plan(&settings, &env).iter().map(ToString::to_string).collect()
        };
        assert_eq!(with(&[]), ["signed-in"]);
        assert!(with(&[("CODEX_API_KEY", "k")]).is_empty(), "a key in our own environment is passed on");
        let claude = |set: &str| credential(preset("claude").unwrap(), &BTreeMap::from([(set.into(), "1".into())]));
        let token = "CLAUDE_CODE_OAUTH_TOKEN";
        assert_eq!(claude(token), Some(Credential::Plan(token)), "a plan's token is no key");
        assert!(matches!(claude("CLAUDE_CODE_USE_BEDROCK"), Some(Credential::Key(_))), "a cloud is paid by the token");
    }

    #[test]
    fn what_build_files_suggest_is_found_in_a_folder() {
        let repo = tempfile::tempdir().unwrap();
        assert!(checks(repo.path()).is_empty());
        let files = [
            ("Cargo.toml", ""),
            ("package.json", "{\"scripts\":{\"test\":\"x\"}}"),
            ("go.mod", ""),
            ("Makefile", "all:\n"),
        ];
        for (name, text) in files {
            write_atomic_text(&repo.path().join(name), text).unwrap();
        }
        assert_eq!(checks(repo.path()).into_keys().collect::<Vec<_>>(), ["cargo-test", "go-test", "npm-test"]);
    }
}
