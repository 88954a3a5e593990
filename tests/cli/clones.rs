//! A clone: verdicts and documents are there, the evidence that they were made from is not.

use std::fs;

use crate::round::{plan, played};
use crate::world::World;

const PLAN: &str = "specs/003-rate-limiter/plan.md";
const VERDICT: &str = "specs/003-rate-limiter/verdicts/plan.json";

/// A repository whose plan was made on another machine, and whose spec was changed since.
fn clone() -> World {
    let world =
        played(&["annika", "boris"], &(plan("annika", "Count", "slow", "") + &plan("boris", "Count", "slow", "")));
    world.dicast(&["plan", "003"]).exits(0);
    fs::remove_dir_all(world.path(".dicast/evidence")).unwrap();
    let spec = fs::read_to_string(world.path("specs/003-rate-limiter/spec.md")).unwrap();
    world.write("specs/003-rate-limiter/spec.md", spec.replace("10 requests", "20 requests"));
    world.dicast(&["verdict", "003", "plan"]).exits(7);
    world
}

#[test]
#[ignore = "slow tier: eight stages as processes of their own"]
fn a_clone_brings_a_committed_verdict_and_its_plan_up_to_date_and_leaves_a_hands_edit_alone() {
    let world = clone();
    world.dicast(&["tasks", "003"]).exits(10).complains("its plan is about another text");
    world.dicast(&["plan", "003"]).exits(0);
    world.dicast(&["verdict", "003", "plan"]).exits(0);
    let folder = || {
        let names = fs::read_dir(world.path("specs/003-rate-limiter")).unwrap();
        let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(folder(), ["plan.md", "spec.md", "verdicts"], "nothing is put beside");

    let altered = fs::read_to_string(world.path(VERDICT)).unwrap().replace("\"exit\": 0", "\"exit\": 1");
    world.write(VERDICT, &altered);
    world.dicast(&["tasks", "003"]).exits(3).complains("or run `dicast plan 003-rate-limiter` again");
    world.dicast(&["plan", "003"]).exits(0).complains("plan.dicast-old.json");
    assert_eq!(
        fs::read_to_string(world.path("specs/003-rate-limiter/verdicts/plan.dicast-old.json")).unwrap(),
        altered
    );
    world.dicast(&["verdict", "003", "plan"]).exits(0);

    let edited = clone();
    let by_hand = fs::read_to_string(edited.path(PLAN)).unwrap() + "\nby hand\n";
    edited.write(PLAN, &by_hand);
    edited.dicast(&["plan", "003"]).exits(0).complains("the next stage reads it; ours is");
    assert_eq!(fs::read_to_string(edited.path(PLAN)).unwrap(), by_hand);
    assert!(edited.path("specs/003-rate-limiter/plan.dicast-new.md").exists());
    edited.dicast(&["verdict", "003", "plan"]).exits(0);
}
