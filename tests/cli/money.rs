//! What a run costs, as its user reads it: by the token, at a price or in the program's own words, or not known.

use crate::runs::fake_agent;
use crate::world::World;

/// A panel whose programs say what they used: `ann` at a configured price, `bob` in its own words, `cat` without any.
pub(crate) fn paid() -> World {
    let world = World::with_spec();
    let agent = |name: &str, more: &str, says: &str| {
        let made = format!("made=$({:?} | grep '^{{'); ", fake_agent());
        let line = format!(r#"printf '{{"made":%s,"in":1000,"cached":200,"out":100,{says}"done":true}}\n' "$made""#);
        format!(
            "[[agents]]\nname = \"{name}\"\nkind = \"command\"\nfamily = \"{name}\"\n{more}retry = {{ max = 0 }}\n\
             command = [\"/bin/sh\", \"-c\", '''{made}{line}''']\ntransport = \"jsonl\"\n[agents.extract]\n\
             structured = \"made\"\nok = \"done\"\ninput_tokens = \"in\"\ncached_tokens = \"cached\"\n\
             output_tokens = \"out\"\n{}\n",
            if says.is_empty() { "" } else { "cost_usd = \"cost\"\n" }
        )
    };
    let text = agent("ann", "model = \"opus\"\n", "")
        + &agent("bob", "", r#""cost":0.5,"#)
        + &agent("cat", "", "")
        + "[prices.opus]\ninput_per_mtok_usd = \"15\"\noutput_per_mtok_usd = \"75\"\n";
    world.write(".dicast/config.toml", text);
    world.dicast(&["trust", "approve"]).exits(0);
    world
}

#[test]
fn tokens_and_cost_are_told_of_each_turn_and_of_the_run() {
    let world = paid();
    let lines = world.dicast(&["plan", "--json", "--no-round"]).json();
    let of = |name: &str| {
        let found = lines.iter().find(|line| line["type"] == "agent.finished" && line["agent"] == name);
        found.unwrap_or_else(|| panic!("{lines:?}")).clone()
    };
    assert_eq!(of("ann")["tokens"], serde_json::json!({"input": 1000, "cached": 200, "output": 100}));
    let costs = ["ann", "bob", "cat"].map(|name| of(name)["cost_micro_usd"].as_u64());
    assert_eq!(costs, [Some(22_500), Some(500_000), None], "unpriced is not $0");
    let spent = serde_json::json!({"tokens": {"input": 3000, "cached": 600, "output": 300}, "cost_micro_usd": 522_500,
        "unpriced": ["cat"]});
    assert_eq!(lines.last().unwrap()["spent"], spent);

    let world = paid();
    let said = world.dicast(&["plan", "--no-round"]);
    let said = said.complains("1.1k tokens, $0.03").complains("1.1k tokens, $0.50");
    said.complains("used     3.3k tokens · $0.53 · cat unpriced");
}

#[test]
fn a_budget_that_is_too_small_asks_nobody_who_could_pass_it_and_goes_on_when_it_is_raised() {
    let world = paid();
    let mut small = world.program();
    let said = crate::world::said(small.env("DICAST_BUDGET__RUN_USD", "0.40").args(["plan", "--json", "--no-round"]));
    let lines = said.json();
    let ann = lines.iter().find(|line| line["type"] == "agent.finished" && line["agent"] == "ann").unwrap();
    assert_eq!((&ann["status"], &ann["duration_ms"]), (&"budget".into(), &0.into()));
    assert!(ann["why"].as_str().unwrap().contains("$0.40 of the run's budget is left"), "{ann}");
    assert_eq!(said.code, 6, "two of three answered: {}", said.out);
    let again = world.dicast(&["plan", "--rerun-missing", "--json", "--no-round"]);
    let asked: Vec<serde_json::Value> = again
        .json()
        .into_iter()
        .filter(|line| line["type"] == "agent.started")
        .map(|line| line["agent"].clone())
        .collect();
    assert_eq!(asked, ["ann"]);
    let spent = again.json().last().unwrap()["spent"]["cost_micro_usd"].clone();
    assert_eq!(spent, 522_500, "what bob cost before counts on");
}
