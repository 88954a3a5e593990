//! The children of ours, and the live run that `cancel` finds.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use dicast::disk::lock::{Note, host, started};
use dicast::domain::moment::Moment;
use dicast::domain::stage::Stage;

use crate::world::{World, inputs, panel};

#[test]
fn the_memory_server_speaks_mcp_and_ends_with_its_input() {
    let world = World::new();
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
    let said = world.dicast_with(&["memory", "serve", "--db", "memory.db"], &format!("{hello}\n")).exits(0);
    let answer: serde_json::Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
    assert_eq!(answer["id"], 1);
    assert!(answer["result"]["serverInfo"].is_object(), "{answer}");
    // Nothing was kept, so nothing is written.
    assert!(!world.path("memory.db").exists());
}

#[test]
fn the_player_answers_as_its_script_says() {
    let script = r#"{"schema":"dicast.script/1","agents":{"ann":{"plan":{"fail":{"exit":7,"stderr":"no"}}}}}"#;
    let world = World::new().file("script.json", script);
    let ask = "x\n```json\n{\"schema\":\"dicast.ask/1\",\"spec_id\":\"003-x\",\"stage\":\"plan\",\"agent\":\"ann\",\"attempt\":1,\"agenda\":[]}\n```\n";
    let said = world.dicast_with(&["play", "script.json", "--agent", "ann", "--speed", "0"], ask);
    assert_eq!(said.code, 7, "{said:?}");
    world.dicast_with(&["play", "nope.json"], ask).exits(64).complains("there is no such file");
}

#[test]
fn cancel_asks_the_owner_of_the_live_run_and_nobody_else() {
    let world = World::with_spec();
    world.dicast(&["cancel"]).exits(0).says("nothing is running");
    world.dicast(&["cancel", "nope"]).exits(64);
    world.dicast(&["cancel", "01AN4Z07BY79KA1307SR9X4MV3"]).exits(64).complains("there is no run");
    world.record(&panel(Stage::Plan, &inputs()));

    // Who runs the tests in the background may have SIGINT ignored, and children inherit that.
    let mut owner =
        world.command("env").args(["--default-signal=INT", "sleep", "60"]).stdout(Stdio::null()).spawn().unwrap();
    let pid = owner.id();
    let note = |started| Note { pid, host: host().into(), since: Moment(0), started };
    let put = |note: &Note| {
        world.write(".dicast/evidence/.locks/003-rate-limiter.run.lock", serde_json::to_string(note).unwrap());
    };
    // The id was given to another process since.
    put(&note(Some(1)));
    world.dicast(&["cancel", "003"]).exits(0).says("nothing is running");
    // A process on another machine.
    put(&Note { host: "elsewhere.example".into(), ..note(Some(1)) });
    world.dicast(&["cancel", "003"]).exits(3).complains("elsewhere.example");
    // A note that does not say when the process started.
    put(&note(None));
    world.dicast(&["cancel", "003"]).exits(3).complains("cannot be told from another process");
    assert!(owner.try_wait().unwrap().is_none(), "nobody was signalled so far");
    put(&note(started(owner.id())));
    world.dicast(&["cancel"]).exits(0).says("stopped 003-rate-limiter");
    assert_eq!(owner.wait().unwrap().signal(), Some(2));
}
