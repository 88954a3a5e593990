//! Memory from the outside: a participant on another machine, a server that hangs, dies or lies, an answer that the
//! evidence lost. The verdict is the same in all of them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::runs::{fake_agent, panel_of};
use crate::world::World;

/// Ends a test that looks for something that never comes.
const LOOKS: u32 = 400;

/// Another machine: a client of `dicast memory serve` on the same database.
struct Elsewhere {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    calls: u64,
}

impl Elsewhere {
    fn connect(world: &World) -> Self {
        let db = world.path(".dicast/memory.db");
        let mut command = world.program();
        command.args(["memory", "serve", "--db", db.to_str().unwrap()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut there = Self { child, stdin, stdout, calls: 0 };
        let client = json!({"protocolVersion": "2025-06-18", "capabilities": {},
                            "clientInfo": {"name": "elsewhere", "version": "0"}});
        there.ask("initialize", &client);
        there.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        there
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.stdin, "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": self.calls, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the memory server ended");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == self.calls {
                return message["result"].clone();
            }
        }
    }

    fn call(&mut self, tool: &str, args: &Value) -> Value {
        let result = self.ask("tools/call", &json!({"name": tool, "arguments": args}));
        serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
    }

    /// Waits for the question to a participant, with its tags.
    fn question(&mut self, agent: &str) -> (String, Vec<String>) {
        let tags = ["kind:ask".to_owned(), format!("agent:{agent}")];
        for _ in 0..LOOKS {
            let hits = self.call("search", &json!({"query": "", "tags": tags}));
            if let Some(hit) = hits.get(0) {
                let tags = hit["memory"]["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned());
                return (hit["memory"]["content"].as_str().unwrap().to_owned(), tags.collect());
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{agent} was never asked");
    }

    fn leave(self) {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

/// What a program answers to a prompt.
fn answered(prompt: &str) -> String {
    let mut agent = Command::new(fake_agent()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    agent.stdin.take().unwrap().write_all(prompt.as_bytes()).unwrap();
    let mut text = String::new();
    agent.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(agent.wait().unwrap().success());
    text
}

/// A panel of a program here and a participant elsewhere.
fn with_somebody_elsewhere(seconds: u32) -> World {
    let world = World::with_spec();
    panel_of(&world, &[("ann", &[])]);
    let here = std::fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    let far = format!(
        "[[agents]]\nname = \"far\"\nkind = \"memory\"\nfamily = \"far\"\ntimeouts = {{ total_s = {seconds} }}\n"
    );
    world.write(".dicast/config.toml", here + &far);
    world.dicast(&["trust", "approve"]).exits(0);
    world
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

#[test]
fn a_participant_on_another_machine_is_asked_and_answers_through_memory() {
    let world = with_somebody_elsewhere(60);
    let mut command = world.program();
    command.args(["plan", "003", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = command.spawn().unwrap();

    let mut there = Elsewhere::connect(&world);
    let (prompt, tags) = there.question("far");
    let tags: Vec<&String> = tags
        .iter()
        .filter(|tag| ["spec:", "stage:", "agent:", "run:"].iter().any(|name| tag.starts_with(name)))
        .collect();
    assert_eq!(tags.len(), 4);
    // What is no answer does not end the wait: it can be put right.
    there.call("store_memory", &json!({"content": "{\"not\": \"an artifact\"}", "tags": tags}));
    there.call("store_memory", &json!({"content": answered(&prompt), "tags": tags}));
    there.leave();

    let output = run.wait_with_output().unwrap();
    let said = events(&String::from_utf8(output.stdout).unwrap());
    let finished = of(&said, "agent.finished");
    let far = finished.iter().find(|event| event["agent"] == "far").unwrap();
    assert_eq!((far["status"].as_str(), far["attempt"].as_u64()), (Some("ok"), Some(1)), "{far}");
    let verdict = of(&said, "stage.verdict")[0];
    let path = world.path(verdict["path"].as_str().unwrap());
    let verdict: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(verdict["families"], json!({"expected": 2, "ok": 2}));
    assert_eq!(verdict["missing_agents"], json!([]));
    let journal = journal(&world);
    let answer = journal.iter().find(|record| record["type"] == "agent_answered" && record["agent"] == "far").unwrap();
    assert_eq!(answer["source"], "memory");
    let ann = journal.iter().find(|record| record["type"] == "agent_answered" && record["agent"] == "ann").unwrap();
    assert_eq!(ann.get("source"), None);
    world.dicast(&["evidence", "verify"]).exits(0);
    world.dicast(&["consensus", "plan"]).exits(output.status.code().unwrap()).says("same");
}

#[test]
fn somebody_elsewhere_who_does_not_answer_in_time_is_missing() {
    let world = with_somebody_elsewhere(1);
    let said = events(&world.dicast(&["plan", "003", "--json"]).out);
    let verdict = of(&said, "stage.verdict")[0];
    let path = world.path(verdict["path"].as_str().unwrap());
    let verdict: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(verdict["missing_agents"], json!(["far"]));
    assert_ne!(verdict["exit"], 0);
    let panel = std::fs::read_to_string(evidence(&world, "panels/plan.json")).unwrap();
    let panel: Value = serde_json::from_str(&panel).unwrap();
    assert!(
        panel["agents"].as_array().unwrap().iter().any(|a| a["name"] == "far" && a["status"] == "missing"),
        "{panel}"
    );
}

/// A file of the only run of the first spec.
fn evidence(world: &World, file: &str) -> PathBuf {
    let runs = world.path(".dicast/evidence/consensus/003-rate-limiter");
    let mut found: Vec<PathBuf> = std::fs::read_dir(runs).unwrap().flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.is_dir());
    assert_eq!(found.len(), 1);
    found[0].join(file)
}

pub(crate) fn journal(world: &World) -> Vec<Value> {
    let lines = events(&std::fs::read_to_string(evidence(world, "journal.jsonl")).unwrap());
    lines.into_iter().map(|line| line.get("record").cloned().unwrap_or(line)).collect()
}

/// A server of our own whose faults are its flags.
fn memory_with(flags: &[&str]) -> String {
    let program = fake_agent().with_file_name("fake_mcp_server");
    let argv: Vec<String> = flags.iter().map(|flag| format!("{flag:?}")).collect();
    format!("[mcp_servers.memory]\ncommand = {:?}\nargs = [{}]\n", program.to_str().unwrap(), argv.join(", "))
}

fn world_with(memory: &str) -> World {
    let world = World::with_spec();
    panel_of(&world, &[("ann", &[]), ("bob", &[])]);
    let panel = std::fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    world.write(".dicast/config.toml", panel + memory);
    world.dicast(&["trust", "approve"]).exits(0);
    world
}

fn hash_of(events: &[Value]) -> String {
    of(events, "stage.verdict")[0]["hash"].as_str().unwrap().to_owned()
}

#[test]
fn the_verdict_is_the_same_with_memory_there_gone_hung_or_lying_and_what_it_lacks_waits() {
    let there = world_with("");
    let wanted = hash_of(&events(&there.dicast(&["plan", "003", "--json"]).out));
    for flags in [&["--crash-at-start"][..], &["--hang"], &["--loses"], &["--errors-as-text"], &["--npm"]] {
        let world = world_with(&memory_with(flags));
        let said = events(&world.dicast(&["plan", "003", "--json"]).out);
        assert_eq!(hash_of(&said), wanted, "{flags:?}");
        let last = said.last().unwrap();
        // Two answers, the verdict and a note.
        assert!(last["memory"].as_str().unwrap().starts_with("waiting: 4: "), "{flags:?}: {last}");
        let warned = |event: &&&Value| event["text"].as_str().unwrap().contains("copies wait for memory: 4");
        assert_eq!(of(&said, "warning").iter().filter(warned).count(), 1, "{flags:?}");
        world.dicast(&["memory", "status"]).exits(0).says("waiting  4");
        world.dicast(&["doctor"]).says("4 copies wait for it");
    }
}

#[test]
#[ignore = "slow: a server that is asked again and again; .ci/run runs it"]
fn a_server_that_loses_what_it_acknowledged_is_named_and_a_better_one_gets_it_all() {
    let world = world_with(&memory_with(&["--loses"]));
    world.dicast(&["plan", "003"]);
    world.dicast(&["servers"]).exits(0).says("does not have it").says("4 copies wait for memory");
    let listed = world.dicast(&["servers", "--json"]).json();
    assert_eq!(listed[0]["memory"]["waiting"], 4);
    assert!(listed[0]["memory"]["why"].as_str().unwrap().contains("it acknowledged answer/003-rate-limiter/plan/ann/"));
    world.dicast(&["memory", "drain"]).exits(3).says("it acknowledged");

    let config = std::fs::read_to_string(world.path(".dicast/config.toml")).unwrap();
    world.write(".dicast/config.toml", config.split("[mcp_servers").next().unwrap());
    world.dicast(&["trust", "approve"]).exits(0);
    world.dicast(&["memory", "drain"]).exits(0).says("it has 4 copies");
    world.dicast(&["memory", "drain"]).exits(0).says("it has 0 copies");
    world.dicast(&["memory", "status", "--json"]).exits(0).says("\"waiting\":0");
    let mut there = Elsewhere::connect(&world);
    assert_eq!(there.call("stats", &json!({}))["memories"], 4);
    there.leave();
}

#[test]
fn a_server_without_the_tools_of_its_profile_is_told_where_servers_are_listed() {
    let profile = "[memory]\nprofile = \"server-memory\"\n";
    let world = world_with(&(memory_with(&[]) + profile));
    world.dicast(&["servers"]).exits(0).says("memory.profile").says("create_entities").says("set memory.profile");
    world.dicast(&["doctor"]).says("profile server-memory");
}

#[test]
fn an_answer_that_the_evidence_lost_is_taken_from_memory_by_its_hash() {
    for has_copy in [true, false] {
        let world = world_with("");
        let first = events(&world.dicast(&["plan", "003", "--json"]).out);
        world.dicast(&["memory", "drain"]).exits(0);
        std::fs::remove_file(evidence(&world, "artifacts/plan-ann-1.json")).unwrap();
        if !has_copy {
            std::fs::remove_file(world.path(".dicast/memory.db")).unwrap();
            for more in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(world.path(&format!(".dicast/memory.db{more}")));
            }
        }
        // The run is opened again to decide something, from what is kept.
        let verdict = world.path("specs/003-rate-limiter/verdicts/plan.json");
        let recorded: Value = serde_json::from_str(&std::fs::read_to_string(verdict).unwrap()).unwrap();
        let claim = recorded["claims"].as_array().unwrap().iter().find(|claim| claim["label"] == "conflict");
        let said = match claim {
            Some(claim) => {
                let key = claim["key"].as_str().unwrap();
                let words = ["dissent", "003", "--waive", key, "--by", "eve", "--reason", "r", "--json"];
                events(&world.dicast(&words).out)
            }
            None => events(&world.dicast(&["plan", "003", "--rerun-missing", "--json"]).out),
        };
        let warnings: Vec<&str> = of(&said, "warning").iter().map(|event| event["text"].as_str().unwrap()).collect();
        if has_copy {
            assert!(
                warnings.iter().any(|text| text.contains("ann's answer") && text.contains("taken from memory")),
                "{said:#?}"
            );
            assert!(evidence(&world, "artifacts/plan-ann-memory.json").exists());
            if claim.is_none() {
                assert_eq!(hash_of(&said), hash_of(&first));
            }
            continue;
        }
        // Nobody has it: it is missing where a decision is made of what is kept, and asked again where that was asked for.
        let again = match claim {
            Some(_) => {
                assert!(warnings.iter().any(|text| text.contains("memory does not have it either")), "{said:#?}");
                events(&world.dicast(&["plan", "003", "--rerun-missing", "--json"]).out)
            }
            None => said,
        };
        let asked: Vec<&Value> = of(&again, "agent.started").iter().map(|event| &event["agent"]).collect();
        assert_eq!(asked, ["ann"], "{again:#?}");
    }
}

#[test]
fn notes_of_other_specs_are_told_and_journalled_and_change_no_hash() {
    let world = world_with("").file("specs/004-limiter-of-uploads/spec.md", crate::world::SPEC);
    world.dicast(&["plan", "004"]);
    world.dicast(&["memory", "drain"]).exits(0);
    let said = events(&world.dicast(&["plan", "003", "--json"]).out);
    let opened = journal(&world).into_iter().find(|record| record["type"] == "stage_opened").unwrap();
    assert_eq!(of(&said, "stage.started")[0]["recalled"], 1, "{opened}");
    let note = opened["recalled"][0]["text"].as_str().unwrap();
    assert!(note.starts_with("plan of 004-limiter-of-uploads"), "{note}");
    let prompt = std::fs::read_to_string(evidence(&world, "prompts/plan-ann.md")).unwrap();
    assert!(prompt.contains("Notes from earlier runs") && prompt.contains(note), "{prompt}");

    // The same world, where memory tells nothing.
    let silent = world_with(&memory_with(&["--hang"])).file("specs/004-limiter-of-uploads/spec.md", crate::world::SPEC);
    silent.dicast(&["plan", "004"]);
    let without = events(&silent.dicast(&["plan", "003", "--json"]).out);
    assert_eq!(of(&without, "stage.started")[0].get("recalled"), None);
    assert_eq!(hash_of(&said), hash_of(&without));
}
