//! Config, trust, the panel, the servers.

use std::fs;

use crate::world::World;

const AGENT: &str =
    "[[agents]]\nname = \"mine\"\nkind = \"command\"\nfamily = \"mine\"\ncommand = [\"./my-agent\", \"a b\"]\n";

#[test]
fn init_writes_a_config_once_and_approves_it() {
    let world = World::with_spec().file("Cargo.toml", "[package]\nname = \"x\"\n");
    world.dicast(&["init"]).exits(0).says(".dicast/config.toml").says("next:");
    assert!(world.path(".dicast/config.toml").exists() && world.path(".dicast/.gitignore").exists());
    world.dicast(&["trust", "list"]).exits(0).says("cargo test -- {id}").says("approved");
    world.dicast(&["init"]).exits(64).complains("it is there already");
    world.dicast(&["doctor"]).exits(0).says(".dicast/config.toml");
}

#[test]
fn nothing_of_the_project_is_approved_until_somebody_does_and_a_changed_byte_asks_again() {
    let world = World::with_spec().file(".dicast/config.toml", AGENT);
    let list = world.dicast(&["trust", "list"]).exits(0).says("NOT APPROVED").says("./my-agent \"a b\"");
    let hash = list.out.lines().find_map(|line| line.strip_prefix("hash  ")).unwrap().to_owned();
    world.dicast(&["doctor"]).exits(11).says("dicast trust approve");
    world.dicast(&["trust", "approve", &"0".repeat(64)]).exits(11).complains(&hash);
    world.dicast(&["trust", "approve", &hash]).exits(0).says("approved");
    world.dicast(&["trust", "list"]).exits(0).says(&format!("approved  {hash}"));
    fs::write(world.path(".dicast/config.toml"), AGENT.replace("a b", "rm -rf")).unwrap();
    world.dicast(&["trust", "list"]).exits(0).says("CHANGED").says("+ command = [\"./my-agent\", \"rm -rf\"]");
    let json = world.dicast(&["trust", "list", "--json"]).exits(0).json();
    assert_eq!(json[0]["state"], "changed");
    world.dicast(&["trust", "revoke"]).exits(0).says("took 1 approval back");
    world.dicast(&["trust", "revoke"]).exits(0).says("nothing of this repository");
}

#[test]
fn a_hash_on_the_command_line_approves_for_one_call() {
    let world = World::with_spec().file(".dicast/config.toml", AGENT);
    let list = world.dicast(&["trust", "list"]).out;
    let hash = list.lines().find_map(|line| line.strip_prefix("hash  ")).unwrap();
    let said = world.dicast(&["doctor", "--yes-trust", hash]);
    assert!(said.out.contains("trust       ok"), "{}", said.out);
    world.dicast(&["doctor"]).exits(11);
    world.dicast(&["doctor", "--yes-trust", "abc"]).exits(64).says("64 hex digits");
}

#[test]
fn a_wrong_config_names_its_line_and_the_next_step() {
    let world = World::with_spec().file(".dicast/config.toml", "[evidence]\nrot = \"x\"\n");
    let said = world.dicast(&["agents"]).exits(64).complains(".dicast/config.toml:2").complains("root");
    assert!(said.err.contains("next: "), "{}", said.err);
    let json = world.dicast(&["agents", "--json"]).exits(64).json();
    assert_eq!(json.last().unwrap()["type"], "run.finished");
    world.write(".dicast/config.toml", "[evidence\n");
    world.dicast(&["evidence", "list"]).exits(64).complains(".dicast/config.toml:1");
    world.dicast(&["doctor"]).exits(64).says("WRONG");
    // Rules need no config.
    assert!(world.dicast(&["check"]).code <= 1);
    world.dicast(&["agents", "--config", "nope.toml"]).exits(64).complains("there is no such file");
}

#[test]
fn agents_are_listed_with_whether_their_program_is_there() {
    let world = World::with_spec();
    world.dicast(&["agents"]).exits(0).says("no agent is configured").says("dicast init");
    world.write(".dicast/config.toml", AGENT);
    world.dicast(&["agents"]).exits(0).says("NOT FOUND").says("dicast trust approve");
    world.dicast(&["doctor"]).exits(11).says("NOT FOUND: mine");
    world.write("my-agent", "#!/bin/sh\n");
    let mut permissions = fs::metadata(world.path("my-agent")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(world.path("my-agent"), permissions).unwrap();
    world.dicast(&["agents"]).exits(0).says("ready");
    let json = world.dicast(&["agents", "--json"]).exits(0).json();
    assert_eq!((&json[0]["name"], &json[0]["found"]), (&"mine".into(), &true.into()));
}

#[test]
fn an_evidence_root_that_cannot_be_written_is_named() {
    // Not by permissions: the tests may run as root, who may write anywhere.
    let world = World::with_spec().file(".dicast/config.toml", "[evidence]\nroot = \"README.md/evidence\"\n");
    world.dicast(&["doctor"]).exits(3).says("README.md/evidence cannot be written").says("[evidence] root");
    world.dicast(&["evidence", "verify"]).exits(3).complains("README.md/evidence");
}

#[test]
fn evidence_outside_the_repository_is_not_read_before_it_is_approved() {
    let world = World::with_spec().file(".dicast/config.toml", "[evidence]\nroot = \"../elsewhere\"\n");
    world.dicast(&["evidence", "list"]).exits(11).complains("dicast trust list");
    world.dicast(&["trust", "approve"]).exits(0);
    world.dicast(&["evidence", "list"]).exits(0).says("no runs yet");
}

#[test]
fn servers_are_started_named_and_ended() {
    let world = World::with_spec();
    world.dicast(&["servers"]).exits(0).says("memory").says("ready");
    let bad = "[mcp_servers.gone]\ncommand = \"no-such-program-anywhere\"\n";
    world.write(".dicast/config.toml", bad);
    world.dicast(&["servers"]).exits(11).complains("not approved");
    world.dicast(&["trust", "approve"]).exits(0);
    world.dicast(&["servers"]).exits(0).says("gone").says("no-such-program-anywhere");
    let json = world.dicast(&["servers", "--json"]).exits(0).json();
    let of = |name: &str| json.iter().find(|line| line["name"] == name).unwrap()["state"].clone();
    assert_eq!((of("memory"), of("gone")), ("ready".into(), "lost".into()));
}
