//! Documents that a hand has edited: merged with what is new, or left as they are.

use std::fs;

use crate::round::{plan, played};
use crate::world::World;

const PLAN: &str = "specs/003-rate-limiter/plan.md";
const BESIDE: &str = "specs/003-rate-limiter/plan.dicast-new.md";

/// What the agents say from now on.
fn say(world: &World, step: &str) {
    let script = plan("annika", step, "slow", "") + &plan("boris", step, "slow", "");
    world.write(".dicast/panel.toml", format!("schema = \"dicast.script/1\"\n{script}"));
}

#[test]
#[ignore = "slow tier: five stages as processes of their own"]
fn a_hands_edit_is_merged_with_a_new_plan_or_stays_and_is_told_where_it_collides() {
    let world =
        played(&["annika", "boris"], &(plan("annika", "Count", "slow", "") + &plan("boris", "Count", "slow", "")));
    let read = |path: &str| fs::read_to_string(world.path(path)).unwrap();
    world.dicast(&["plan", "003"]).exits(0);
    let first = read(PLAN);
    world.write(PLAN, first.clone() + "By hand.\n");
    say(&world, "Measure");
    world.dicast(&["plan", "003"]).exits(0).complains("merged with what a hand wrote there: 1 line stays (");
    let merged = read(PLAN);
    assert!(merged.contains("1. Measure (FR-001") && merged.ends_with("By hand.\n"), "{merged}");
    world.dicast(&["verdict", "003", "plan"]).exits(0);
    world.dicast(&["evidence", "verify"]).exits(0);

    world.write(PLAN, merged.replace("1. Measure (", "1. Measure twice ("));
    say(&world, "Weigh");
    let told = world.dicast(&["plan", "003", "--json"]);
    let aside =
        told.out.lines().find(|line| line.contains("\"document.aside\"")).unwrap_or_else(|| panic!("{}", told.out));
    let aside: serde_json::Value = serde_json::from_str(aside).unwrap();
    let (hand, ours) = (&aside["why"]["collides"][0]["hand"]["first"], &aside["why"]["collides"][0]["ours"]["first"]);
    let line = |path: &str, at: &serde_json::Value| {
        let at = usize::try_from(at.as_u64().unwrap()).unwrap();
        read(path).lines().nth(at - 1).unwrap().to_owned()
    };
    assert_eq!((&aside["path"], &aside["beside"]["path"]), (&PLAN.into(), &BESIDE.into()));
    assert!(line(PLAN, hand).starts_with("1. Measure twice ("), "{aside}");
    assert!(line(BESIDE, ours).starts_with("1. Weigh ("), "{aside}");
    // Who took from it what they want is not asked again.
    world.write(PLAN, read(BESIDE) + "By hand.\n");
    fs::remove_file(world.path(BESIDE)).unwrap();
    say(&world, "Guess");
    world.dicast(&["plan", "003"]).exits(0).complains("1 line stays (");
    assert!(read(PLAN).contains("1. Guess (") && !world.path(BESIDE).exists());
    // What a hand began with goes with the run that wrote it.
    fs::remove_dir_all(world.path(".dicast/evidence")).unwrap();
    let hand = read(PLAN);
    say(&world, "Count");
    world.dicast(&["plan", "003"]).exits(0).complains("it cannot be merged: the evidence here does not have");
    assert_eq!(read(PLAN), hand);
}
