//! github/spec-kit's own program and scripts, at the version that `.ci/spec-kit` installs: they go on from a folder of ours,
//! and we go on from one of theirs. Without it the test says that it was skipped.
#![expect(clippy::print_stderr, reason = "a test that was skipped says so")]

use std::fs;

use serde_json::Value;

use crate::round::{config, plan, tasks};
use crate::world::{SPEC, Said, World, said};

/// The folder of its scripts in a project that it made.
const SCRIPTS: &str = ".specify/scripts/bash";

/// Runs one of its scripts, which finds the spec by what lies in the project alone.
fn script(world: &World, name: &str, words: &[&str]) -> Said {
    said(world.command(world.path(&format!("{SCRIPTS}/{name}"))).args(words))
}

#[test]
#[ignore = "a real part: .ci/spec-kit"]
fn spec_kits_own_scripts_go_on_from_our_folder_and_we_from_theirs() {
    let Some(specify) = std::env::var_os("DICAST_SPEC_KIT") else {
        eprintln!("skipped: DICAST_SPEC_KIT is not set; run .ci/spec-kit");
        return;
    };
    let world = World::new().file("src/limiter.rs", "pub fn allow() -> bool {\n    true\n}\n");
    world.git(&["init", "-q"]);
    let init = ["init", ".", "--force", "--ignore-agent-tools", "--script", "sh", "--integration", "claude"];
    said(world.command(specify).args(init).arg("--non-interactive")).exits(0);

    // Ours, then theirs.
    let own = "specs/001-rate-limiter";
    world.dicast(&["new", "Rate limiter"]).exits(0).says(own).says(".specify/templates/spec-template.md");
    world.write(&format!("{own}/spec.md"), SPEC);
    config(&world, &["annika", "boris"]);
    let both = |of: fn(&str) -> String| of("annika") + &of("boris");
    let script_of = both(|agent| plan(agent, "Count", "slow", "")) + &both(|agent| tasks(agent, "Count the calls"));
    world.write(".dicast/panel.toml", format!("schema = \"dicast.script/1\"\n{script_of}"));
    script(&world, "check-prerequisites.sh", &["--json"]).exits(1).complains("plan.md not found");
    world.dicast(&["plan", "001"]).exits(0);
    script(&world, "check-prerequisites.sh", &["--json", "--require-tasks"]).exits(1).complains("tasks.md not found");
    world.dicast(&["tasks", "001"]).exits(0);
    let found =
        script(&world, "check-prerequisites.sh", &["--json", "--require-spec", "--require-tasks", "--include-tasks"]);
    let found: Value = serde_json::from_str(&found.exits(0).out).unwrap();
    assert!(found["FEATURE_DIR"].as_str().unwrap().ends_with(own), "{found}");
    assert_eq!(found["AVAILABLE_DOCS"], serde_json::json!(["tasks.md"]));
    let texts =
        || ["spec.md", "plan.md", "tasks.md"].map(|name| fs::read(world.path(&format!("{own}/{name}"))).unwrap());
    let before = texts();
    script(&world, "setup-plan.sh", &["--json"]).exits(0).complains("Plan already exists");
    let setup: Value = serde_json::from_str(&script(&world, "setup-tasks.sh", &["--json"]).exits(0).out).unwrap();
    assert!(setup["FEATURE_DIR"].as_str().unwrap().ends_with(own), "{setup}");
    assert!(before == texts(), "their set-up leaves what we wrote");
    world.dicast(&["verdict", "001", "tasks"]).exits(0);

    // Theirs, then ours.
    let made = script(&world, "create-new-feature.sh", &["--json", "Log in with a magic link"]).exits(0);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    assert_eq!(made["BRANCH_NAME"], "002-log-magic-link");
    world.dicast(&["check", "002"]).exits(1).says("NEEDS CLARIFICATION");
    world.write("specs/002-log-magic-link/spec.md", SPEC);
    world.dicast(&["plan", "002"]).exits(0);
    script(&world, "check-prerequisites.sh", &["--json"]).exits(0).says("002-log-magic-link");
    script(&world, "create-new-feature.sh", &["--json", "--timestamp", "Some day"]).exits(0);
    world.dicast(&["new", "Third thing"]).exits(0).says("specs/003-third-thing");
    script(&world, "check-prerequisites.sh", &["--json", "--paths-only"]).exits(0).says("003-third-thing");
}
