//! The round, end to end: agents that are programs, through the real binary.

use std::path::Path;

use serde_json::Value;

use crate::world::World;

/// A panel that plays a script: each agent is a family of its own unless it is written `agent@family`.
pub(crate) fn played(agents: &[&str], script: &str) -> World {
    let world = World::with_spec().file("src/limiter.rs", "pub fn allow() -> bool {\n    true\n}\n");
    world.write(".dicast/panel.toml", format!("schema = \"dicast.script/1\"\n{script}"));
    config(&world, agents);
    world
}

/// Configures agents that a script plays, and approves that.
pub(crate) fn config(world: &World, agents: &[&str]) {
    let mut config = String::new();
    for who in agents {
        let (name, family) = who.split_once('@').unwrap_or((who, who));
        config.push_str(&format!(
            "[[agents]]\nname = \"{name}\"\nfamily = \"{family}\"\nkind = \"replay\"\nscript = \".dicast/panel.toml\"\nretry = {{ max = 0 }}\n\n"
        ));
    }
    world.write(".dicast/config.toml", config);
    world.dicast(&["trust", "approve"]).exits(0);
}

/// A plan that covers everything, in words of its own.
pub(crate) fn plan(agent: &str, step: &str, risk: &str, more: &str) -> String {
    format!(
        r#"
[agents.{agent}.plan.answer]
summary = "{step}"
answers = [
  {{ topic = "FR-001", value = "yes", because = "{step}", evidence = [{{ file = "src/limiter.rs", line = 1 }}] }},
  {{ topic = "FR-002", value = "yes", because = "{step}", evidence = [{{ file = "src/limiter.rs", line = 2 }}] }},
]
work_breakdown = [{{ step = "{step}", requirements = ["FR-001", "FR-002"], files = ["src/limiter.rs"] }}]
acceptance_mapping = [
  {{ requirement = "FR-001", validation_step = "{step}", artifact = "src/limiter.rs" }},
  {{ requirement = "FR-002", validation_step = "{step}", artifact = "src/limiter.rs" }},
]
risks = [{{ risk = "{risk}", mitigation = "watched", severity = "minor" }}]
{more}
"#
    )
}

/// A task list of one task that covers everything.
pub(crate) fn tasks(agent: &str, title: &str) -> String {
    format!(
        r#"
[agents.{agent}.tasks.answer]
summary = "{title}"
answers = [
  {{ topic = "FR-001", value = "yes", because = "T001", evidence = [{{ file = "src/limiter.rs", line = 1 }}] }},
  {{ topic = "FR-002", value = "yes", because = "T001", evidence = [{{ file = "src/limiter.rs", line = 2 }}] }},
]
tasks = [{{ task_id = "T001", order = 1, title = "{title}", requirements = ["FR-001", "FR-002"], files = ["src/limiter.rs"] }}]
"#
    )
}

/// Two correct plans, worded so that no two sentences are near each other.
fn two_plans(of_ann: &str, of_bob: &str) -> World {
    let ann = plan("annika", "Put a token bucket in front", "a refused caller hammers us at once", of_ann);
    let bob = plan("boris", "Count requests in windows and refuse the rest", "clients retry in a tight loop", of_bob);
    played(&["annika", "boris"], &(ann + &bob))
}

fn votes(agent: &str, votes: &str) -> String {
    format!("\n[agents.{agent}.plan.round]\nvotes = [{votes}]\n")
}

fn verdict(world: &World) -> Value {
    let text = std::fs::read(world.path("specs/003-rate-limiter/verdicts/plan.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn claim<'v>(verdict: &'v Value, subject: &str) -> &'v Value {
    let claims = verdict["claims"].as_array().unwrap();
    claims.iter().find(|claim| claim["subject"] == subject).unwrap_or_else(|| panic!("no {subject}: {verdict:#}"))
}

#[test]
fn two_differently_worded_correct_plans_end_in_agreement() {
    let same = |other: &str, own: &str| format!("{{ item = \"{own}\", vote = \"same_as\", same_as = \"{other}\" }}");
    let (ann, bob) = ("refused caller", "clients retry");
    let world = two_plans(&votes("annika", &same(bob, ann)), &votes("boris", &same(ann, bob)));
    let said = world.dicast(&["plan", "--json"]).exits(0);
    let verdict = verdict(&world);
    assert!(["agree", "agree_with_dissent"].contains(&verdict["status"].as_str().unwrap()), "{verdict:#}");
    let merged =
        verdict["claims"].as_array().unwrap().iter().find(|claim| claim["merged_from"] != Value::Array(vec![]));
    assert_eq!(merged.unwrap()["label"], "agreed", "both said that the two risks are one");
    let lines = said.json();
    let of_round = |kind: &str| lines.iter().filter(|l| l["type"] == kind && l["turn"] == "round").count();
    assert_eq!((of_round("agent.started"), of_round("agent.finished")), (2, 2), "{}", said.out);
    let told: Vec<&Value> = lines.iter().filter(|line| line["type"] == "round.finished").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["changes"]["answered"], 2);
    world.dicast(&["evidence", "verify"]).exits(0).says("ok: 1 run");
    world.dicast(&["consensus", "plan"]).exits(0).says("same");
}

#[test]
fn without_a_round_the_same_plans_keep_their_risks_apart() {
    let world = two_plans("", "");
    let said = world.dicast(&["plan", "--no-round", "--json"]).exits(0);
    assert!(!said.json().iter().any(|line| line["turn"] == "round" || line["type"] == "round.started"), "{}", said.out);
    let verdict = verdict(&world);
    assert!(verdict["claims"].as_array().unwrap().iter().all(|claim| claim["merged_from"] == Value::Array(vec![])));
    let by_config = two_plans("", "");
    let config = std::fs::read_to_string(by_config.path(".dicast/config.toml")).unwrap();
    by_config.write(".dicast/config.toml", config + "[consensus]\nround = \"off\"\n");
    by_config.dicast(&["trust", "approve"]).exits(0);
    let said = by_config.dicast(&["plan"]).exits(0);
    assert!(!said.err.contains("for the round"), "{}", said.err);
}

#[test]
fn one_honest_numeric_disagreement_ends_in_exactly_that_conflict() {
    let spec = "# Feature Specification: Rate limiter\n\n## Requirements\n\n\
        - **FR-001**: System MUST refuse bursts of too many requests quickly.\n";
    let answer = |agent: &str, burst: &str, line: u32, keeps: bool| {
        let vote = if keeps { "{ item = \"quickly\", vote = \"keep\" }" } else { "" };
        format!(
            r#"
[agents.{agent}.plan.answer]
summary = "by {agent}"
answers = [
  {{ topic = "FR-001", value = "yes", because = "a step", evidence = [{{ file = "src/limiter.rs", line = 1 }}] }},
  {{ topic = "quickly", value = "{burst}", unit = "ms", because = "measured", evidence = [{{ file = "src/limiter.rs", line = {line} }}] }},
]
work_breakdown = [{{ step = "by {agent}", requirements = ["FR-001"], files = ["src/limiter.rs"] }}]
acceptance_mapping = [{{ requirement = "FR-001", validation_step = "time it", artifact = "src/limiter.rs" }}]
[agents.{agent}.plan.round]
votes = [{vote}]
"#
        )
    };
    let script = answer("annika", "5", 1, true) + &answer("boris", "50", 2, true);
    let world = played(&["annika", "boris"], &script).file("specs/003-rate-limiter/spec.md", spec);
    let said = world.dicast(&["plan"]).exits(1).complains("conflict: decision").complains("the round changed nothing");
    assert_eq!(said.err.matches("conflict: ").count(), 1, "{}", said.err);
    let verdict = verdict(&world);
    assert_eq!(verdict["status"], "conflict");
    assert_eq!(verdict["conflicts"].as_array().unwrap().len(), 1, "{verdict:#}");
    assert_eq!(claim(&verdict, "FR-001")["label"], "agreed");
}

#[test]
fn both_saying_no_is_rejected_and_no_round_is_needed() {
    let no =
        |agent: &str| plan(agent, "It cannot be done here", "none", "").replace("value = \"yes\"", "value = \"no\"");
    let no = |agent: &str| {
        no(agent)
            .replace("acceptance_mapping", "# acceptance_mapping")
            .split("work_breakdown")
            .next()
            .unwrap()
            .to_owned()
    };
    let world = played(&["annika", "boris"], &(no("annika") + &no("boris")));
    world.dicast(&["plan"]).exits(2);
    assert_eq!(verdict(&world)["status"], "rejected");
}

#[test]
fn clones_of_one_family_are_one_voice_and_are_not_asked_in_a_round() {
    let script = plan("annika", "Put a token bucket in front", "it breaks", "")
        + &plan("boris", "Count requests in windows", "it is late", "");
    let world = played(&["annika@acme", "boris@acme"], &script);
    let said = world.dicast(&["plan"]).exits(4);
    assert!(!said.err.contains("for the round"), "{}", said.err);
    let codes: Vec<String> =
        verdict(&world)["reasons"].as_array().unwrap().iter().map(|r| r["code"].as_str().unwrap().to_owned()).collect();
    assert!(codes.contains(&"one_voice".to_owned()), "{codes:?}");
}

#[test]
fn what_was_asked_in_the_round_names_nobody_and_is_kept() {
    let world = two_plans("", "");
    world.dicast(&["plan"]).exits(0).complains("round: ");
    let runs = world.path(".dicast/evidence/consensus/003-rate-limiter");
    let run = std::fs::read_dir(runs).unwrap().map(|e| e.unwrap().path()).find(|path| path.is_dir()).unwrap();
    for (asked, other) in [("annika", "boris"), ("boris", "annika")] {
        let prompt = std::fs::read_to_string(run.join(format!("prompts/plan-{asked}-round.md"))).unwrap();
        let block = prompt.rsplit("```json").next().unwrap();
        assert!(block.contains("\"dicast.round/1\"") && !prompt.contains(other), "{prompt}");
        let votes = std::fs::read_to_string(run.join(format!("rounds/plan-{asked}.json"))).unwrap();
        assert!(votes.contains("dicast.round/1"));
    }
    // A vote that is changed afterwards is found out.
    let votes = run.join("rounds/plan-annika.json");
    std::fs::write(&votes, "{\"schema\":\"dicast.round/1\",\"votes\":[ ]}").unwrap();
    assert!(Path::new(&votes).exists());
    world.dicast(&["evidence", "verify"]).exits(3).says("rounds/plan-annika.json");
}
