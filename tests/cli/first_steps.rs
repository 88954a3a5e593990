//! What a stranger types first.

use std::process::Stdio;

use crate::world::World;

#[test]
fn help_and_version_are_results() {
    let world = World::new();
    let help = world.dicast(&["--help"]).exits(0).says("check").says("doctor");
    assert!(help.err.is_empty() && !help.out.contains("  play "), "hidden commands stay hidden:\n{}", help.out);
    world.dicast(&["--version"]).exits(0).says(env!("CARGO_PKG_VERSION"));
    world.dicast(&["verdict", "--help"]).exits(0).says("--require");
}

#[test]
fn what_cannot_be_read_exits_64_and_programs_are_told() {
    let world = World::new();
    for words in [&["frobnicate"][..], &["check", "--nope"], &["decide"], &["explain"], &["plan", "a", "b"]] {
        let said = world.dicast(words).exits(64);
        assert!(said.out.is_empty() && said.err.contains("error"), "{words:?}: {said:?}");
    }
    let said = world.dicast(&["--json", "frobnicate"]).exits(64);
    let lines = said.json();
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["run"], &last["exit"]), (&"run.finished".into(), &().into(), &64.into()));
}

#[test]
fn without_a_terminal_the_first_screen_is_lines_and_nobody_waits_for_stdin() {
    let world = World::with_spec();
    // An open pipe that nobody writes to: whoever reads it hangs.
    let mut child =
        world.program().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _open = child.stdin.take();
    let done = child.wait_with_output().unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{out}{}", String::from_utf8_lossy(&done.stderr));
    for part in ["003-rate-limiter", "nothing sent, nothing written", "dicast init", "dicast demo"] {
        assert!(out.contains(part), "{part}:\n{out}");
    }
    assert!(!world.path(".dicast").exists());
}

#[test]
fn doctor_names_what_is_missing_and_what_to_do() {
    let world = World::with_spec();
    let said = world.dicast(&["doctor"]).exits(0).says("003-rate-limiter").says("dicast init").says("writable");
    assert!(said.out.contains("dicast.*.log"), "{}", said.out);
    let value = world.dicast(&["doctor", "--json"]).exits(0).json().remove(0);
    let items = value["items"].as_array().unwrap();
    let state = |name: &str| items.iter().find(|item| item["name"] == name).map(|item| item["state"].clone());
    assert_eq!(state("git"), Some("ok".into()));
    assert_eq!(state("agents"), Some("missing".into()));
    assert!(
        value["values"].as_array().unwrap().iter().any(|v| v["key"] == "evidence.root" && v["origin"] == "default")
    );
}

/// Puts programs into a folder of PATH: what each does for `--version`.
fn with_programs(world: &World, programs: &[(&str, &str)]) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt as _;
    let bin = world.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for (name, script) in programs {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::env::join_paths([bin, "/usr/bin".into(), "/bin".into()]).unwrap()
}

#[test]
fn agents_and_doctor_say_the_version_of_what_is_on_path_and_wait_for_nobody() {
    let world = World::with_spec();
    let path = with_programs(
        &world,
        &[
            ("claude", "echo '2.1.330 (Claude Code)'; pwd > \"$HOME/cwd\""),
            ("codex", "sleep 60"),
            ("gemini", "echo 'node is too old' >&2; exit 3"),
            ("ollama", "exit 9"),
        ],
    );
    let began = std::time::Instant::now();
    let mut asked = world.program();
    let said = crate::world::said(asked.env("PATH", &path).env("ANTHROPIC_API_KEY", "k").args(["agents"])).exits(0);
    assert!(began.elapsed().as_secs() < 12, "one deadline for all of them: {:?}", began.elapsed());
    let said = said.says("2.1.330").says("signed in by $ANTHROPIC_API_KEY").says("no version (no answer in 5 s)");
    said.says("no version (exit 3: node is too old)").says("preset = \"ollama\" asks").says("codex login");
    assert_eq!(std::fs::read_to_string(world.home().join("cwd")).unwrap(), "/\n", "nothing of a repository is near");

    world.write(".dicast/config.toml", "[[agents]]\nname = \"claude\"\npreset = \"claude\"\n");
    let path = with_programs(&world, &[("codex", "echo codex-cli 0.169.0")]);
    let mut asked = world.program();
    let value = crate::world::said(asked.env("PATH", &path).args(["doctor", "--json"])).json().remove(0);
    let item =
        |name: &str| value["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap().clone();
    assert!(item("agents")["text"].as_str().unwrap().contains("claude 2.1.330, codex 0.169.0"), "{value}");
    assert!(item("agents")["next"].as_str().unwrap().contains("npm install -g opencode-ai"), "{value}");
    assert_eq!(item("credentials")["state"], "missing");
    assert!(item("credentials")["next"].as_str().unwrap().contains("ANTHROPIC_API_KEY"), "{value}");
    assert!(item("models")["text"].as_str().unwrap().contains("http://127.0.0.1:11434/v1"), "{value}");
}

#[test]
fn check_finds_what_is_not_so_and_clears_when_it_is() {
    let world = World::with_spec().file(
        "specs/003-rate-limiter/tasks.md",
        "# Tasks\n\n- [x] T001 Write `allow` in src/limiter.rs (FR-001)\n- [ ] T002 Test it in tests/limiter.rs (FR-002)\n",
    );
    world.dicast(&["check"]).exits(1).says("src/limiter.rs").says("specs/003-rate-limiter/tasks.md:3");
    let lines = world.dicast(&["check", "003", "--json"]).exits(1).json();
    assert!(lines.iter().any(|line| line["type"] == "check.finding" && line["rule"] == "ticked-file-missing"));
    assert_eq!(lines.last().unwrap()["type"], "run.finished");
    assert!(!world.path(".dicast").exists() && !world.home().join(".local").exists(), "check writes nothing");
    world.write("src/limiter.rs", "/// FR-001\npub fn allow() {}\n");
    let after = world.dicast(&["check", "--json"]).json();
    assert!(!after.iter().any(|line| line["rule"] == "ticked-file-missing"), "{after:?}");
}

#[test]
fn check_writes_reports_where_it_is_told() {
    let world = World::with_spec();
    let (sarif, junit) = (world.path("out.sarif"), world.path("out.xml"));
    let words = ["check", "--output", "sarif", sarif.to_str().unwrap(), "--output", "junit", junit.to_str().unwrap()];
    let said = world.dicast(&words).complains("wrote ");
    assert!(said.code == 0 || said.code == 1);
    let value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(sarif).unwrap()).unwrap();
    assert_eq!(value["version"], "2.1.0");
    assert!(std::fs::read_to_string(junit).unwrap().contains("<testsuite"));
    let said = world.dicast(&["check", "--output", "md", "nope/out.md"]).exits(64);
    said.complains("there is no folder nope").complains("mkdir -p nope");
    assert!(!world.path("nope").exists());
    world.dicast(&["memory", "serve", "--db", "nope/memory.db"]).exits(64).complains("there is no folder /");
    world.dicast(&["check", "--output", "pdf", "x"]).exits(64).complains("junit, sarif or md");
    world.dicast(&["status", "--output", "md", "x"]).exits(64).complains("--output");
}

#[test]
fn check_of_a_range_finds_changes_that_no_task_asked_for() {
    let world =
        World::with_spec().file("specs/003-rate-limiter/tasks.md", "- [ ] T001 Write src/limiter.rs (FR-001)\n");
    let commit = |message: &str| {
        world.git(&["add", "-A"]);
        world.git(&["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", message]);
    };
    commit("one");
    world.write("src/other.rs", "pub fn surprise() {}\n");
    commit("two");
    world.dicast(&["check", "--range", "HEAD~1..HEAD"]).exits(1).says("src/other.rs");
    for bad in ["nope..HEAD", "--output=x", "HEAD~1..HEAD; touch pwned"] {
        let said = world.dicast(&["check", &format!("--range={bad}")]);
        assert!(matches!(said.code, 3 | 10 | 64), "{bad}: {said:?}");
    }
    assert!(!world.path("pwned").exists());
}

#[test]
fn specs_are_found_by_prefix_and_by_branch() {
    let world = World::with_spec().file("specs/004-audit/spec.md", "# x\n- FR-001: it MUST log each refusal.\n");
    world.dicast(&["status"]).exits(0).says("003-rate-limiter").says("004-audit");
    world.dicast(&["status", "004"]).exits(0).says("dicast plan 004-audit");
    world.dicast(&["status", "00"]).exits(64).complains("003-rate-limiter, 004-audit").complains("next: write more");
    world.dicast(&["status", "nope"]).exits(64).complains("these are here: 003-rate-limiter, 004-audit");
    world.dicast(&["dissent"]).exits(0).says("no verdict of 003-rate-limiter");
    world.git(&["checkout", "-q", "-b", "main"]);
    world.dicast(&["dissent"]).exits(64).complains("the branch names none");
    let value = world.dicast(&["status", "--json"]).exits(0).json();
    assert_eq!(value.len(), 2);
    assert_eq!(value[1]["spec_id"], "004-audit");
}

#[test]
fn init_writes_the_checks_that_the_build_files_offer() {
    let world = World::with_spec().file("package.json", "{\"scripts\":{\"test\":\"x\"}}").file("pyproject.toml", "");
    world.dicast(&["init"]).exits(0);
    let config = std::fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    for part in
        ["[checks.npm-test]", "[checks.pytest]\nargv = [\"python3\", \"-m\", \"pytest\", \"-v\", \"-k\", \"{id}\"]"]
    {
        assert!(config.contains(part), "{part}:\n{config}");
    }
}
