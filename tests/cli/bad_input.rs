//! Hostile and broken input: clear errors, clean bytes, nothing run.

use std::fs;
use std::process::Stdio;

use dicast::domain::stage::Stage;

use crate::world::{SPEC, World, inputs, panel};

/// An escape sequence, a clipboard write, C1, a bidi override.
const EVIL: &str = "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}\u{9b}31m\u{202e}evil";

#[test]
fn control_characters_of_specs_and_file_names_reach_nobody_raw() {
    let world = World::with_spec()
        .file("specs/003-rate-limiter/spec.md", format!("# {EVIL}\n{SPEC}- FR-003: {EVIL} MUST be fast and {EVIL}.\n"))
        .file("specs/003-rate-limiter/tasks.md", format!("- [x] T001 Write `{EVIL}` in src/{EVIL}.rs (FR-001)\n"))
        .file(&format!("src/{EVIL}.rs"), "pub fn a() {}\n")
        .file(&format!("specs/{EVIL}/spec.md"), SPEC)
        .file(".claude/settings.json", "{}")
        .file(
            ".dicast/config.toml",
            format!(
                "[[agents]]\nname = \"mine\"\nkind = \"command\"\nfamily = \"m\"\ncommand = [\"./{}\"]\n",
                "\\u001b]52;c;x\\u0007"
            ),
        );
    // `dicast` asserts that what comes out is clean.
    for words in [&["check"][..], &[], &["status"], &["status", "003"], &["doctor"], &["trust", "list"], &["agents"]] {
        world.dicast(words);
        let mut json = words.to_vec();
        json.push("--json");
        world.dicast(&json);
    }
    world.dicast(&["check", EVIL]).exits(64);
    world.dicast(&[EVIL]).exits(64);
    world.dicast(&["check", "--repo", EVIL]).exits(64);
    world.dicast(&["--json", "status", EVIL]).exits(64).json();
}

#[test]
fn control_characters_of_agents_reach_nobody_raw() {
    let world = World::with_spec();
    let evil = serde_json::to_string(EVIL).unwrap();
    world.record(&panel(Stage::Plan, &inputs()).replace("\"20\"", &evil));
    for words in [&["dissent", "003"][..], &["verdict", "plan"], &["consensus", "plan"], &["explain", "plan", "D-001"]]
    {
        world.dicast(words);
        let mut json = words.to_vec();
        json.push("--json");
        world.dicast(&json).json();
    }
}

#[test]
fn empty_huge_and_binary_specs_are_named_not_sent_anywhere() {
    let world = World::with_spec()
        .file("specs/004-empty/spec.md", "")
        .file("specs/005-huge/spec.md", "x".repeat(10 << 20))
        .file("specs/006-binary/spec.md", b"# \xff\xfe\n");
    let said = world.dicast(&["check"]).exits(1);
    for part in ["specs/004-empty/spec.md", "specs/005-huge/spec.md", "specs/006-binary/spec.md", "UTF-8"] {
        assert!(said.out.contains(part), "{part}:\n{}", said.out);
    }
    world.dicast(&["status"]).exits(0).says("005-huge");
    world.dicast(&["status", "006"]).exits(0).says("UTF-8");
    world.dicast(&[]).exits(0);
}

#[test]
fn a_repository_that_is_none_is_refused() {
    let world = World::new();
    world.dicast(&["check", "--repo", "nope"]).exits(64).complains("it is no folder");
    world.dicast(&["check", "--repo", "README.md"]).exits(64).complains("it is no folder");
    world.dicast(&["check"]).exits(0).says("no specs here");
    world.dicast(&["status"]).exits(0).says("no specs here");
    world.dicast(&["plan"]).exits(64).complains("specs/001-name/spec.md");
}

#[test]
fn words_that_look_like_flags_or_commands_are_only_words() {
    let world = World::with_spec();
    for word in ["--help", "$(touch pwned)", "`touch pwned`", "; touch pwned", "../../etc", "-x"] {
        world.dicast(&["plan", "--", word]).exits(64).complains("no spec is called");
        world.dicast(&["check", "--", word]).exits(64).complains("no spec is called");
    }
    assert!(!world.path("pwned").exists());
}

#[test]
fn nobody_reading_stdout_is_no_panic() {
    let world = World::with_spec();
    for words in [&["check"][..], &["--help"], &["status", "--json"], &["nope", "--json"]] {
        let mut child = world.program().args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code().is_some_and(|code| code != 101) && !err.contains("panicked"), "{words:?}: {err}");
    }
}

#[test]
fn without_a_home_the_work_goes_on() {
    let world = World::with_spec().file(".dicast/config.toml", "[run]\ndeadline_s = 60\n");
    let homeless = |words: &[&str]| crate::world::said(world.program().args(words).env_remove("HOME"));
    assert!(homeless(&["check"]).code <= 1);
    homeless(&["status"]).exits(0);
    assert!(fs::read_dir(world.home()).unwrap().next().is_none());
}
