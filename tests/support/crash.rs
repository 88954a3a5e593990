//! A run that is cut off, and what must hold after it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::World;

/// The command that is cut off.
pub(crate) const RUN: [&str; 3] = ["plan", "003", "--json"];

/// What a run left.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
}

/// What a run that nothing happens to comes to.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) code: i32,
    hash: String,
}

pub(crate) fn fake_agent() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let agent = exe.parent().and_then(Path::parent).unwrap().join("examples/fake_agent");
    assert!(agent.exists(), "run `cargo build --example fake_agent` first");
    agent
}

/// A repository with an approved panel of three, of which two differ: so there is a round as well.
pub(crate) fn repo() -> World {
    repo_with(&[("ann", ""), ("bob", ", \"--quantity\", \"20\""), ("cyd", "")])
}

/// A repository with an approved panel; beside each name what follows the program in its command.
pub(crate) fn repo_with(panel: &[(&str, &str)]) -> World {
    let world = World::with_spec();
    let mut text = String::new();
    for (name, flags) in panel {
        let agent = fake_agent();
        text.push_str(&format!(
            "[[agents]]\nname = \"{name}\"\nkind = \"command\"\nfamily = \"{name}\"\ncommand = [{agent:?}{flags}]\nretry = {{ max = 0 }}\n\n",
        ));
    }
    world.write(".dicast/config.toml", text);
    world.dicast(&["trust", "approve"]).exits(0);
    world
}

/// Runs a command to its end, however it comes.
pub(crate) fn said(command: &mut Command) -> Cut {
    let output = command.output().unwrap();
    Cut { code: output.status.code(), out: String::from_utf8_lossy(&output.stdout).into_owned() }
}

/// What the run comes to when nothing happens to it.
pub(crate) fn whole_run() -> Expected {
    let world = repo();
    let whole = said(world.program().args(RUN));
    let hash = verdict_hash(&whole.out).unwrap_or_else(|| panic!("no verdict: {}", whole.out));
    Expected { code: whole.code.unwrap(), hash }
}

pub(crate) fn events(out: &str) -> impl Iterator<Item = serde_json::Value> {
    out.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// The hash of the verdict that was told.
pub(crate) fn verdict_hash(out: &str) -> Option<String> {
    events(out)
        .filter(|event| event["type"] == "stage.verdict")
        .find_map(|event| Some(event["hash"].as_str()?.to_owned()))
}

/// Who was told to have answered, or to be asked, at the stage itself or in the round.
fn agents(out: &str, kind: &str) -> BTreeSet<(String, bool)> {
    events(out)
        .filter(|event| event["type"] == kind && (kind != "agent.finished" || event["status"] == "ok"))
        .filter_map(|event| Some((event["agent"].as_str()?.to_owned(), !event["turn"].is_null())))
        .collect()
}

/// Asserts that a run that was cut off verifies, goes on, asks nobody again who was told to have answered, and ends with
/// the same verdict. Tells whether a torn line was found.
pub(crate) fn goes_on(world: &World, cut: &Cut, expected: &Expected, context: &str) -> bool {
    let verified = world.dicast(&["evidence", "verify"]);
    assert_eq!(verified.code, 0, "{context}: {}", verified.out);
    let again = said(world.program().args(RUN));
    assert_eq!(again.code, Some(expected.code), "{context}: {}", again.out);
    // What was told is published: the next start then rightly begins anew.
    let was_told = verdict_hash(&cut.out);
    if let Some(hash) = &was_told {
        assert_eq!(hash, &expected.hash, "{context}");
    } else {
        let (kept, asked) = (agents(&cut.out, "agent.finished"), agents(&again.out, "agent.started"));
        assert_eq!(kept.intersection(&asked).next(), None, "{context}: asked again: {}", again.out);
    }
    let hash = verdict_hash(&again.out);
    assert!(
        hash.as_ref() == Some(&expected.hash) || (hash.is_none() && was_told.is_some()),
        "{context}: {}",
        again.out
    );
    world.dicast(&["verdict", "003", "plan"]).exits(expected.code).says(&expected.hash);
    let verified_again = world.dicast(&["evidence", "verify"]);
    assert_eq!(verified_again.code, 0, "{context}: {}", verified_again.out);
    verified.out.contains("torn last line")
}
