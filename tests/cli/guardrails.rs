//! Guardrails: commands of the project around a stage, really run.

use std::fs;

use crate::runs::{approved, panel_of};
use crate::world::{World, said};

/// Known by how it looks.
const TOKEN: &str = "ghp_0123456789abcdefABCDEF0123456789abcd";

/// A panel with guardrails of validate and plan, approved or not.
fn guarded(lines: &str) -> World {
    let world = World::with_spec();
    panel_of(&world, &[("ann", &[]), ("bob", &[])]);
    let config = fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    world.write(".dicast/config.toml", format!("{config}{lines}"));
    world
}

fn approve(world: World) -> World {
    world.dicast(&["trust", "approve"]).exits(0);
    world
}

#[test]
fn nothing_runs_before_it_was_approved_and_where_none_is_configured_that_is_said() {
    let world = guarded("[guardrails.plan]\nbefore = [[\"touch\", \"ran\"]]\n");
    world.dicast(&["trust", "list"]).says("guardrail before plan").says("touch ran");
    world.dicast(&["guardrail", "plan", "003"]).exits(11);
    world.dicast(&["plan", "003"]).exits(11);
    assert!(!world.path("ran").exists());
    world.dicast(&["trust", "approve"]).exits(0);
    world.dicast(&["guardrail", "plan", "003"]).exits(0).says("plan: passed");
    assert!(world.path("ran").exists());
    world.dicast(&["guardrail", "audit", "003"]).exits(10).complains("[guardrails.audit]");
    world.dicast(&["guardrail", "nope", "003"]).exits(64);
}

#[test]
fn a_red_one_stops_its_stage_before_anybody_is_asked_and_shows_what_failed_without_secrets() {
    let script =
        format!("echo 'running 1 test'; echo 'error: limiter fails with {TOKEN}'; echo \"env <$MY_OWN>\"; exit 3");
    let world = approve(guarded(&format!(
        "[guardrails.plan]\nbefore = [[\"sh\", \"-c\", {script:?}], [\"touch\", \"ran\"]]\n"
    )));
    let said = said(world.program().args(["guardrail", "plan", "003", "--json"]).env("MY_OWN", "visible"));
    let value = &said.json()[0];
    assert_eq!(
        (&value["schema"], &value["passed"], &value["exit"]),
        (&"dicast.guardrail/1".into(), &false.into(), &2.into())
    );
    let ran = &value["reports"][0]["ran"];
    assert_eq!(
        (&ran[0]["exit"], ran.as_array().map(Vec::len)),
        (&3.into(), Some(1)),
        "the first that fails is the last"
    );
    assert!(!said.out.contains("visible"), "its environment is cleared: {}", said.out);
    let said = said.exits(2).says("limiter fails");
    let stage = world.dicast(&["plan", "003"]).exits(2).complains("limiter fails");
    for text in [&said.out, &said.err, &stage.out, &stage.err] {
        assert!(!text.contains(TOKEN), "{text}");
    }
    assert!(!stage.err.contains("ann"), "nobody was asked: {}", stage.err);
    assert!(!world.path("ran").exists());
}

#[test]
fn one_that_hangs_ends_at_its_deadline_and_its_children_with_it() {
    let lines =
        "[guardrails.plan]\ntimeout_s = 1\nbefore = [[\"sh\", \"-c\", \"sleep 600 & echo $! > child; wait\"]]\n";
    let world = approve(guarded(lines));
    world.dicast(&["guardrail", "plan", "003"]).exits(2).says("FAILED");
    let child = fs::read_to_string(world.path("child")).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[test]
fn a_clean_tree_is_one_without_changes_of_anybody_but_us() {
    let world = approve(guarded("[guardrails.plan]\nclean_tree = true\n"));
    world.git(&["add", "-A"]);
    world.git(&["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "one"]);
    world.dicast(&["guardrail", "plan", "003"]).exits(0);
    world.write("specs/003-rate-limiter/plan.md", "# Plan\n");
    world.dicast(&["guardrail", "plan", "003"]).exits(0);
    world.write("src/new.rs", "pub fn f() {}\n");
    world.dicast(&["guardrail", "plan", "003"]).exits(2).says("src/new.rs");
}

#[test]
fn those_after_validate_are_counted_by_its_verdict() {
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    for stage in ["plan", "tasks"] {
        world.dicast(&[stage, "003", "--allow-hollow"]);
    }
    let config = fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    world.write(".dicast/config.toml", format!("{config}[guardrails.validate]\nafter = [[\"false\"]]\n"));
    world.dicast(&["trust", "approve"]).exits(0);
    let said = world.dicast(&["validate", "003", "--json"]);
    let finished = said.json().into_iter().find(|line| line["type"] == "guardrail.finished");
    assert_eq!(finished.map(|line| line["passed"].clone()), Some(false.into()), "{}\n{}", said.out, said.err);
    assert_ne!(said.code, 0);
}
