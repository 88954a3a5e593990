//! Following a run that another process owns.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::runs::{approved, hanging};
use crate::world::{Said, World, read};

/// Starts a watcher that tells events.
fn watcher(world: &World) -> Child {
    world.program().args(["watch", "003", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Said {
    read(child.wait_with_output().unwrap())
}

/// Who was asked and answered how, which verdict and which end, by type and agent.
fn story(lines: &[Value]) -> BTreeMap<String, Vec<String>> {
    let told = ["run.started", "stage.started", "agent.started", "agent.finished", "round.started", "stage.verdict"];
    let mut story: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines.iter().filter(|line| told.iter().any(|kind| line["type"] == *kind)) {
        let what = format!("{} {}", line["type"].as_str().unwrap(), line["agent"].as_str().unwrap_or_default());
        let how = format!("{} {} {} {}", line["stage"], line["status"], line["turn"], line["hash"]);
        story.entry(what).or_default().push(how);
    }
    story
}

#[test]
fn a_watcher_tells_what_the_owner_tells_and_exits_as_it_does() {
    let world = approved(&[("ann", &["--slow", "700"]), ("bob", &["--slow", "200", "--quantity", "20"])]);
    let owner = world.program().args(["plan", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !world.dicast(&["evidence", "list"]).out.contains("open") {}
    let watched = ended(watcher(&world));
    let owned = ended(owner);
    assert_eq!(watched.code, owned.code, "{}\n{}", watched.out, owned.out);
    assert!(watched.err.contains("owned by pid"), "{}", watched.err);
    assert_eq!(story(&watched.json()), story(&owned.json()));
    let last = watched.json().pop().unwrap();
    assert_eq!((&last["type"], &last["exit"]), (&"run.finished".into(), &owned.code.into()));
    // What is over can be told once more.
    let again = world.dicast(&["watch", "003", "--json"]).exits(owned.code);
    assert_eq!(story(&again.json()), story(&owned.json()));
    world.dicast(&["watch", "003"]).exits(owned.code).complains("ann: answered in").says("plan: ");
    world.dicast(&["watch"]).exits(10).complains("nothing is running");
}

#[test]
fn a_watcher_ends_with_a_stop_and_outlives_its_owner() {
    let world = approved(&[("ann", &["--hang"]), ("bob", &["--hang"])]);
    let mut owner = hanging(&world);
    let watcher_of_the_stop = watcher(&world);
    while !world.dicast(&["evidence", "list"]).out.contains("open") {}
    world.dicast(&["cancel", "003"]).exits(0);
    assert_eq!(owner.wait().unwrap().code(), Some(130));
    let stopped = ended(watcher_of_the_stop);
    assert_eq!(stopped.code, 130, "{}", stopped.out);
    assert!(stopped.json().pop().unwrap()["failure"][0].as_str().unwrap().contains("stopped by"), "{}", stopped.out);

    let mut owner = hanging(&world);
    let mut watcher_of_the_dead = watcher(&world);
    // It follows: only then does the owner die.
    let mut said = std::io::BufReader::new(watcher_of_the_dead.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let rest = std::io::read_to_string(said).unwrap();
    let status = watcher_of_the_dead.wait().unwrap();
    assert_eq!(status.code(), Some(3), "{rest}");
    assert!(rest.contains("ended without a word") && rest.contains("go on with `dicast plan 003"), "{rest}");
}

#[test]
fn there_must_be_something_to_follow() {
    let world = World::with_spec();
    world.dicast(&["watch"]).exits(10).complains("nothing is running");
    world.dicast(&["watch", "003"]).exits(10).complains("it was never run").complains("dicast plan 003-rate-limiter");
    world.dicast(&["watch", "nope"]).exits(64).complains("nope");
}

#[test]
fn a_run_is_told_again_at_its_own_pace_with_nothing_started_or_written() {
    let world = approved(&[("ann", &["--slow", "900"]), ("bob", &["--quantity", "20"])]);
    let owned = world.dicast(&["plan", "--json"]);
    let first = owned.json().into_iter().find(|line| line["type"] == "run.started").unwrap();
    let run = first["run"].as_str().unwrap();
    // Neither the panel nor an approval is needed any more.
    world.write(".dicast/config.toml", "");
    let listing = |folder: &str| world.command("find").args([folder, "-type", "f"]).output().unwrap().stdout;
    let before = listing(".dicast/evidence");
    let began = std::time::Instant::now();
    let told = world.dicast(&["replay", run, "--json"]).exits(owned.code).complains("REPLAY of");
    assert!(began.elapsed().as_millis() >= 900, "it takes as long as it took: {:?}", began.elapsed());
    assert_eq!(story(&told.json()), story(&owned.json()));
    assert!(told.json().iter().all(|line| line["replay"] == true && line["run"] == run), "{}", told.out);
    assert_eq!(told.json()[0]["at"], first["at"], "with the times at which it happened");
    let began = std::time::Instant::now();
    world.dicast(&["replay", run, "--speed", "0"]).exits(owned.code).complains("ann: answered in").says("plan: ");
    assert!(began.elapsed().as_millis() < 900, "{:?}", began.elapsed());
    assert_eq!(listing(".dicast/evidence"), before);
    world.dicast(&["replay", "nope"]).exits(64).complains("dicast evidence list");
    world.dicast(&["replay", "01M82S89Y5A5N4STZTREPVS6CH"]).exits(64).complains("there is no run");
}
