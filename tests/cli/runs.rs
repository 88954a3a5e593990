//! The commands that ask a panel, with agents that are programs on this machine.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::world::World;

pub(crate) fn fake_agent() -> PathBuf {
    // target/debug/deps/cli-… → target/debug/examples/fake_agent: cargo builds examples for its tests.
    let exe = std::env::current_exe().unwrap();
    let agent = exe.parent().and_then(Path::parent).unwrap().join("examples/fake_agent");
    assert!(
        agent.exists(),
        "`cargo test --test` does not build examples: run `cargo build --example fake_agent` first"
    );
    agent
}

/// A panel: each agent is a family of its own, and behaves as its flags say.
pub(crate) fn panel_of(world: &World, agents: &[(&str, &[&str])]) {
    let mut text = String::new();
    for (name, flags) in agents {
        let program = fake_agent();
        let argv: Vec<String> = std::iter::once(program.to_str().unwrap())
            .chain(flags.iter().copied())
            .map(|word| format!("{word:?}"))
            .collect();
        text.push_str(&format!(
            "[[agents]]\nname = \"{name}\"\nkind = \"command\"\nfamily = \"{name}\"\ncommand = [{}]\nretry = {{ max = 0 }}\n\n",
            argv.join(", ")
        ));
    }
    world.write(".dicast/config.toml", text);
}

pub(crate) fn approved(agents: &[(&str, &[&str])]) -> World {
    let world = World::with_spec();
    panel_of(&world, agents);
    world.dicast(&["trust", "approve"]).exits(0);
    world
}

#[test]
fn a_stage_is_asked_decided_recorded_and_shown_again() {
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    let said = world.dicast(&["plan", "003", "--json"]);
    let lines = said.json();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("run.started"), of("agent.finished"), of("stage.verdict")), (1, 2, 1), "{}", said.out);
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["exit"]), (&"run.finished".into(), &said.code.into()));
    let verdict = lines.iter().find(|line| line["type"] == "stage.verdict").unwrap();
    let hash = verdict["hash"].as_str().unwrap();
    assert_eq!(verdict["exit"], said.code);

    world.dicast(&["verdict", "plan"]).exits(said.code).says(hash);
    world.dicast(&["consensus", "plan"]).exits(said.code).says("same");
    world.dicast(&["explain", "plan", "covers FR-001"]).exits(0).says("ann");
    world.dicast(&["evidence", "verify"]).exits(0).says("ok: 1 run");
    world.dicast(&["status", "003"]).exits(0).says("plan");
    world.dicast(&["cancel"]).exits(0).says("nothing is running");
    // What is recorded survives a commit: only the config and the spec's folder are for everybody.
    let listed = world.command("git").args(["status", "--porcelain", "--untracked-files=all"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(!listed.contains(".dicast/evidence") && !listed.contains("memory.db"), "{listed}");
}

#[test]
fn an_answer_that_is_gone_from_the_evidence_is_taken_from_memory_and_without_it_missing() {
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    let said = world.dicast(&["plan", "003"]);
    world.dicast(&["consensus", "plan"]).exits(said.code).says("same");
    let runs = world.path(".dicast/evidence/consensus/003-rate-limiter");
    let run = fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let artifacts = fs::read_dir(run.join("artifacts")).unwrap().map(|entry| entry.unwrap().path());
    let bobs = artifacts.into_iter().find(|path| path.to_str().unwrap().contains("bob")).unwrap();
    let text = fs::read_to_string(&bobs).unwrap();

    fs::remove_file(&bobs).unwrap();
    world.dicast(&["consensus", "plan"]).exits(said.code).says("same").says("memory  bob: artifacts/");
    let json = world.dicast(&["consensus", "plan", "--json"]).exits(said.code).json();
    assert_eq!((&json[0]["same"], &json[0]["from_memory"][0]["agent"]), (&true.into(), &"bob".into()));

    for file in ["memory.db", "memory.db-wal", "memory.db-shm"] {
        let _ = fs::remove_file(world.path(&format!(".dicast/{file}")));
    }
    world.dicast(&["consensus", "plan"]).exits(3).says("NOT THE SAME").says("missing bob: artifacts/");
    let json = world.dicast(&["consensus", "plan", "--json"]).exits(3).json();
    assert_eq!((&json[0]["same"], &json[0]["missing"][0]["agent"]), (&false.into(), &"bob".into()));
    assert_eq!(json[0]["status"], "no_quorum", "one of two families is left");

    fs::write(&bobs, text.replace("plan", "plam")).unwrap();
    world.dicast(&["consensus", "plan"]).exits(3).complains("do not match the recorded sha256");
    fs::write(&bobs, text).unwrap();
    world.dicast(&["consensus", "plan"]).exits(said.code).says("same");
}

#[test]
fn text_keeps_results_on_stdout_and_progress_on_stderr() {
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    let said =
        world.dicast(&["plan"]).says("verdict  specs/003-rate-limiter/verdicts/plan.json").complains("ann: answered");
    assert!(!said.out.contains("answered in") && said.err.contains("finished with exit"), "{said:?}");
}

#[test]
fn nothing_of_the_project_is_started_before_it_is_approved() {
    let world = World::with_spec();
    panel_of(&world, &[("ann", &[]), ("bob", &[])]);
    let said = world.dicast(&["plan", "--json"]).exits(11).complains("dicast trust approve");
    assert_eq!(said.json().last().unwrap()["exit"], 11);
    assert!(!world.path(".dicast/evidence").exists());
    let hash = said.err.split("--yes-trust ").nth(1).unwrap().trim();
    let code = world.dicast(&["plan", "--yes-trust", hash]).code;
    assert!(code != 11, "{code}");
}

#[test]
fn what_is_missing_exits_10_and_says_what_to_do() {
    let world = World::with_spec();
    world.dicast(&["plan"]).exits(10).complains("no agent is configured").complains("dicast init");
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    let said = world.dicast(&["tasks", "--json"]).exits(10);
    assert_eq!(said.json().last().unwrap()["exit"], 10);
    // What never began has no id, and no evidence.
    let refused = world.dicast(&["implement", "--json"]).exits(10).json().pop().unwrap();
    assert_eq!((&refused["run"], &refused["evidence"]), (&().into(), &().into()));
    world.dicast(&["implement"]).exits(10).complains("no agent may write code");
    world.write("specs/003-rate-limiter/spec.md", "# Nothing is asked here\n");
    world.dicast(&["plan"]).exits(10).complains("spec.md");
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let world = World::with_spec().file(
        ".dicast/config.toml",
        "[[agents]]\nname = \"ann\"\nkind = \"command\"\nfamily = \"ann\"\ncommand = [\"no-such-program\"]\nretry = { max = 0 }\n",
    );
    world.dicast(&["trust", "approve"]).exits(0);
    world.dicast(&["plan"]).exits(4).complains("no-such-program");
}

#[test]
fn one_that_crashed_can_be_asked_again_alone() {
    let world = approved(&[("ann", &[]), ("bob", &[]), ("cat", &["--crash", "3"])]);
    world.dicast(&["plan"]).exits(6).complains("cat: crashed");
    world.dicast(&["plan", "--allow-degraded"]).exits(0);
    let again = world.dicast(&["plan", "--rerun-missing", "--json"]).exits(6);
    let started: Vec<_> = again.json().into_iter().filter(|line| line["type"] == "agent.started").collect();
    assert!(!started.is_empty() && started.iter().all(|line| line["agent"] == "cat"), "{started:?}");
    let fresh = world.dicast(&["plan", "--fresh", "--json"]).exits(6).json();
    assert_eq!(fresh.iter().filter(|line| line["type"] == "agent.started").count(), 3);
}

#[test]
fn what_agents_write_reaches_nobody_raw() {
    let evil = "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}\u{9b}31m\u{202e}evil";
    let escaped: String =
        evil.chars().flat_map(|c| format!("\\u{:04x}", u32::from(c)).chars().collect::<Vec<_>>()).collect();
    let world = World::with_spec();
    let agent = |name: &str, flags: &str| {
        format!(
            "[[agents]]\nname = \"{name}\"\nkind = \"command\"\nfamily = \"{name}\"\nretry = {{ max = 0 }}\ncommand = [{:?}, {flags}]\n",
            fake_agent().to_str().unwrap()
        )
    };
    let crash = format!("\"--stderr\", \"{escaped}\", \"--crash\", \"3\"");
    let style = format!("\"--family-style\", \"{escaped}\", \"--quantity\", \"{escaped}\"");
    world.write(".dicast/config.toml", agent("ann", &crash) + &agent("bob", &style) + &agent("cat", "\"--garbage\""));
    world.dicast(&["trust", "approve"]).exits(0);
    // `dicast` asserts that what comes out is clean.
    world.dicast(&["plan"]).complains("ann: crashed").complains("evil");
    world.dicast(&["plan", "--fresh", "--json"]).json();
    for words in [&["verdict", "plan"][..], &["dissent"], &["status", "003"]] {
        world.dicast(words);
    }
}

#[test]
fn dissent_can_be_waived_from_the_command_line() {
    let spec = "# Rate limiter\n\n- **FR-001**: System MUST refuse bursts; the burst size is not given.\n";
    let world = approved(&[("ann", &["--quantity", "10"]), ("bob", &["--quantity", "20"])]);
    world.write("specs/003-rate-limiter/spec.md", spec);
    let before = world.dicast(&["plan"]);
    let listed = world.dicast(&["dissent", "--json"]).exits(0).json();
    let Some(open) = listed.first() else { panic!("nobody differs: {before:?}") };
    let key = open["key"].as_str().unwrap();
    let waive = ["dissent", "003", "--waive", &key[..12], "--by", "Ada", "--reason", "both will do"];
    let said = world.dicast(&waive);
    assert_eq!(said.code, world.dicast(&["verdict", "plan"]).code, "{said:?}");
    world.dicast(&["evidence", "verify"]).exits(0);
    let journal = world.command("grep").args(["-rl", "both will do", ".dicast/evidence"]).output().unwrap();
    assert!(journal.status.success(), "the reason is in the record");
    // Taken back, it stands as it did, and there is nothing left to take back.
    let undo = ["dissent", "003", "--undo", &key[..12], "--by", "Ada", "--reason", "asked the customer"];
    assert_eq!(world.dicast(&undo).code, before.code);
    world.dicast(&["verdict", "plan"]).exits(before.code);
    world.dicast(&undo).exits(64).complains("nothing was decided about it");
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
fn auto_goes_as_far_as_it_can_and_exits_with_where_it_stopped() {
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    let said = world.dicast(&["auto", "--json"]);
    let lines = said.json();
    assert_eq!(lines.last().unwrap()["exit"], said.code, "{said:?}");
    let stages: Vec<_> = lines.iter().filter(|l| l["type"] == "stage.verdict").map(|l| l["stage"].clone()).collect();
    assert_eq!(stages.first(), Some(&"plan".into()), "{said:?}");
    assert_ne!(said.code, 0, "nobody writes code here");
    let memory = lines.last().unwrap()["memory"].as_str().unwrap();
    assert!(memory == "none" || memory.starts_with("stored") || memory.starts_with("waiting"), "{memory}");
}

/// Starts a plan whose agents never answer, and waits until both were asked.
pub(crate) fn hanging(world: &World) -> Child {
    let mut command = world.program();
    let mut child = command.args(["plan", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = lines.by_ref().map(Result::unwrap).filter(|line| line.contains("agent.started")).take(2).count();
    assert_eq!(started, 2);
    // Read on, or the program would find its stdout closed.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

#[test]
fn a_second_dicast_names_the_owner_and_cancel_stops_it() {
    let world = approved(&[("ann", &["--hang"]), ("bob", &["--hang"])]);
    let mut owner = hanging(&world);
    let second = world.dicast(&["plan", "--json"]).exits(3);
    let last = second.json().pop().unwrap();
    assert!(last["run"].is_null(), "{last}");
    assert!(last.to_string().contains(&format!("pid {}", owner.id())), "{last}");
    world.dicast(&["cancel", "003"]).exits(0).says("stopped 003-rate-limiter");
    assert_eq!(owner.wait().unwrap().code(), Some(130));
    world.dicast(&["cancel"]).exits(0).says("nothing is running");
    let left = world.command("pgrep").args(["-f", world.repo().to_str().unwrap()]).output().unwrap();
    assert!(left.stdout.is_empty(), "processes are left: {}", String::from_utf8_lossy(&left.stdout));
    // The stopped run is not closed: the next command goes on with it.
    let list = world.dicast(&["evidence", "list"]).exits(0).says("open");
    assert_eq!(list.out.lines().count(), 1, "{}", list.out);
}

#[test]
fn sigterm_ends_a_run_with_its_last_line() {
    let world = approved(&[("ann", &["--hang"]), ("bob", &["--hang"])]);
    let mut owner = hanging(&world);
    let pid = rustix::process::Pid::from_raw(i32::try_from(owner.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(owner.wait().unwrap().code(), Some(143));
    world.dicast(&["evidence", "verify"]).exits(0);
}

#[test]
fn an_evidence_root_that_cannot_be_written_stops_a_run_before_it_starts() {
    let world = World::with_spec();
    panel_of(&world, &[("ann", &[]), ("bob", &[])]);
    let config = std::fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    world.write(".dicast/config.toml", format!("{config}[evidence]\nroot = \"README.md/evidence\"\n"));
    world.dicast(&["trust", "approve"]).exits(0);
    let said = world.dicast(&["plan", "--json"]).exits(3);
    let lines = said.json();
    assert_eq!(lines.last().unwrap()["exit"], 3);
    assert!(!lines.iter().any(|line| line["type"] == "agent.started"), "{}", said.out);
}

#[test]
fn a_stdout_that_is_full_is_said_and_exits_3() {
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    for words in [&["plan", "--json"][..], &["plan", "--fresh"], &["status"], &["--help"], &["nope", "--json"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let done = world.program().args(words).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(3), "{words:?}: {err}");
        assert!(err.contains("could not write to stdout: ") && !err.contains("panicked"), "{words:?}: {err}");
    }
    // The run itself was kept.
    world.dicast(&["evidence", "verify"]).exits(0).says("2 runs");
}

#[test]
fn the_last_line_of_a_run_is_its_end_although_its_servers_end_later() {
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    let config = std::fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    let server =
        format!("[mcp_servers.gone]\ncommand = {:?}\nargs = [\"memory\", \"serve\"]\n", env!("CARGO_BIN_EXE_dicast"));
    world.write(".dicast/config.toml", config + &server);
    world.dicast(&["trust", "approve"]).exits(0);
    let lines = world.dicast(&["plan", "--json"]).json();
    let is_end = |line: &&serde_json::Value| line["type"] == "run.finished";
    assert!(lines.last().is_some_and(|last| is_end(&last)) && lines.iter().filter(is_end).count() == 1, "{lines:?}");
    let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>());
}

#[test]
fn the_demonstration_tells_its_story_without_a_terminal() {
    let world = World::new();
    let said = world.dicast(&["demo", "--speed", "0"]).exits(0).says("plan: conflict").says("plan: degraded");
    assert!(
        said.out.starts_with("DEMO  agents are SCRIPTED, everything else is live\nthe copy is in "),
        "{}",
        said.out
    );
    assert!(said.err.contains("SCRIPTED"), "{}", said.err);
    assert!(said.err.contains("warning: struck: "), "{}", said.err);
    let conflicts: Vec<&str> = said.err.lines().filter(|line| line.starts_with("conflict: ")).collect();
    assert!(conflicts.len() == 1 && !conflicts[0].contains("test "), "{conflicts:?}");
    let said = said.says("error ").says("burst_of_twenty_is_allowed");
    // What it prints works as it is, from anywhere.
    let line = said.out.lines().find_map(|line| line.strip_prefix("  why: dicast ")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    world.dicast(&words).exits(0).says("rule ");
    let last = said.out.lines().last().unwrap();
    assert!(last.starts_with("shown: ") && said.out.contains("  t: cargo test"), "{}", said.out);
}

#[test]
fn the_demonstration_is_one_stream_for_programs() {
    let lines = World::new().dicast(&["demo", "--speed", "0", "--json"]).exits(0).json();
    let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>());
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["exit"]), (&"batch.finished".into(), &0.into()));
    assert_eq!(lines.iter().filter(|line| line["type"] == "run.finished").count(), 2);
    // Of what was said and is not so, programs are told too, before the verdict.
    let at = |is: &dyn Fn(&serde_json::Value) -> bool| lines.iter().position(is).unwrap_or_else(|| panic!("{lines:?}"));
    let struck = |line: &serde_json::Value| line["text"].as_str().is_some_and(|text| text.starts_with("struck: "));
    assert!(at(&struck) < at(&|line| line["type"] == "stage.verdict"));
}

#[test]
fn several_specs_run_one_after_the_other_and_end_as_one() {
    let world = approved(&[("ann", &[]), ("bob", &[])]).file("specs/004-audit/spec.md", crate::world::SPEC);
    let said = world.dicast(&["auto", "003", "004", "--stages", "plan", "--json"]);
    let lines = said.json();
    let specs: Vec<_> = lines.iter().filter(|l| l["type"] == "run.started").map(|l| l["spec"].clone()).collect();
    assert_eq!(specs, ["003-rate-limiter", "004-audit"], "{said:?}");
    let exits: Vec<_> = lines.iter().filter(|l| l["type"] == "run.finished").map(|l| l["exit"].clone()).collect();
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["type"], &last["exit"], &last["exits"]),
        (&"batch.finished".into(), &said.code.into(), &exits.into())
    );
    assert_eq!(last["specs"], serde_json::json!(["003-rate-limiter", "004-audit"]));
    // One that cannot be run is told, and stops no other.
    world.write("specs/003-rate-limiter/verdicts/plan.json", "{");
    let said = world.dicast(&["auto", "003", "004", "--json"]).complains("verdicts/plan.json: it is no verdict");
    let last = said.json().pop().unwrap();
    assert_eq!((&last["exit"], &last["exits"][0]), (&said.code.into(), &3.into()));
    assert!(said.json().iter().any(|l| l["spec"] == "004-audit"), "{said:?}");
    world.dicast(&["auto", "003", "nope"]).exits(64).complains("no spec is called");
    world.dicast(&["auto", "003", "--from", "lunch"]).exits(64).complains("no stage is called");
    world.dicast(&["auto", "003", "--from", "plan", "--stages", "plan"]).exits(64);
}

#[test]
fn several_specs_run_side_by_side_and_each_line_says_whose_it_is() {
    let world =
        approved(&[("ann", &["--slow", "100"]), ("bob", &[])]).file("specs/004-audit/spec.md", crate::world::SPEC);
    let words = ["auto", "003", "004", "--stages", "plan", "--jobs", "2"];
    let lines = world.dicast(&[&words[..], &["--json"]].concat()).exits(0).json();
    let at = |kind: &str| {
        let is = |(at, line): (usize, &serde_json::Value)| (line["type"] == kind).then_some(at);
        lines.iter().enumerate().filter_map(is).collect::<Vec<_>>()
    };
    let (started, finished) = (at("run.started"), at("run.finished"));
    assert!(started.len() == 2 && finished.len() == 2 && started[1] < finished[0], "{lines:?}");
    assert_eq!(lines.last().unwrap()["exits"], serde_json::json!([0, 0]));
    assert_eq!(lines.last().unwrap()["specs"], serde_json::json!(["003-rate-limiter", "004-audit"]));
    world.dicast(&words).exits(0).says("003-rate-limiter  plan: agree").complains("004-audit  ann: answered");
    world.dicast(&["auto", "003", "--jobs", "0"]).exits(64);
}

#[test]
fn a_stage_is_left_out_for_a_reason_that_is_on_record_and_shown() {
    let world = approved(&[("ann", &[]), ("bob", &[])]);
    world.dicast(&["auto", "--skip-stage", "implement"]).exits(64).complains("for a reason");
    world.dicast(&["auto", "--stages", "plan", "--skip-stage", "plan=x"]).exits(64).complains("left out");
    let said = world.dicast(&["auto", "--json", "--skip-stage", "implement=made by hand"]);
    let lines = said.json();
    let of = |kind: &str| lines.iter().filter(|l| l["type"] == kind).map(|l| l["stage"].clone()).collect::<Vec<_>>();
    assert_eq!(
        (of("stage.skipped"), of("stage.verdict")[..3].to_vec()),
        (vec!["implement".into()], vec!["plan".into(), "tasks".into(), "validate".into()],)
    );
    let left_out = "implement: made by hand";
    world.dicast(&["verdict", "validate"]).exits(5).says("Left out  implement: made by hand");
    world.dicast(&["status", "003"]).exits(0).says("implement  left out").says("made by hand");
    world.dicast(&["status"]).exits(0).says("left out");
    world.dicast(&["report", "--format", "md"]).exits(0).says("**Left out**: implement, before this");
    let tasks = fs::read_to_string(world.path("specs/003-rate-limiter/verdicts/tasks.json")).unwrap();
    assert!(!tasks.contains(left_out), "what came before is not bound to it: {tasks}");
    let run = lines.iter().find_map(|line| line["run"].as_str()).unwrap();
    world.dicast(&["replay", run, "--speed", "0"]).complains("implement: left out: made by hand");
    // It stays left out: the next run begins at what has not passed.
    let again = world.dicast(&["auto", "--json"]).json();
    let stages = again.iter().find(|line| line["type"] == "run.started").unwrap()["stages"].clone();
    assert_eq!(stages, serde_json::json!(["audit", "unlock"]), "{again:?}");
}
