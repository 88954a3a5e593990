//! The laws of the verdict, held against generated panels.
//!
//! A panel is made from a tape of bytes, so that a failing one shrinks. `PROPTEST_CASES` sets how many panels each law
//! sees (256 unless set; `.ci/run` uses 10,000). `cargo test --test laws -- --show-output` prints how often each label
//! and each status occurs.

#![expect(clippy::print_stdout, reason = "a test tells how often each label and each status occurs")]

#[path = "laws/panels.rs"]
mod panels;
#[path = "laws/round.rs"]
mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use dicast::domain::claim::{Assertion, Kind, Severity, Tier, Value};
use dicast::domain::consensus::{Answer, Decision, Judged, Label, Panel, Status, Verdict, decide, parse_panel};
use dicast::domain::hash::Sha;
use dicast::domain::ids::AgentName;
use dicast::domain::stage::Stage;
use panels::{clean_exit, generate, tape, without_info_waivers};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestError, TestRng, TestRunner};

/// The fewest panels over which labels, statuses and shared keys are counted.
const COUNTED: u32 = 4_000;

/// Every way of not being there.
const LOST: [Answer; 8] = [
    Answer::Timeout,
    Answer::RateLimited,
    Answer::Crashed,
    Answer::Unparsed,
    Answer::Refused,
    Answer::Cancelled,
    Answer::Budget,
    Answer::Missing,
];

fn config() -> Config {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/laws.regressions");
    Config { failure_persistence: Some(Box::new(FileFailurePersistence::Direct(kept))), ..Config::default() }
}

fn json(panel: &Panel) -> String {
    serde_json::to_string(panel).unwrap_or_else(|e| e.to_string())
}

/// Writes a panel so that a person can read who says what, and then as JSON, to be tried with `dicast decide`.
fn told(panel: &Panel) -> String {
    let mut lines = vec![format!("{} of {}", panel.stage, panel.spec_id)];
    lines.extend(panel.requirements.iter().map(|r| format!("  {} {}", r.level.word(), r.id)));
    for agent in &panel.agents {
        let voter = if agent.voter { "" } else { ", no voter" };
        lines.push(format!("{} ({}{voter}): {}", agent.name, agent.family, agent.status.name()));
        lines.extend(agent.claims.iter().map(|a| {
            let value = serde_json::to_string(&a.value).unwrap_or_else(|e| e.to_string());
            let (sign, said) = (a.polarity.sign(), (a.kind, &a.subject, &a.predicate));
            format!("  {} {} · {} = {value} {sign:+} {} {}", said.0, said.1, said.2, a.severity, a.tier)
        }));
    }
    let waived = panel.waivers.len() + panel.same_as.len() + panel.rejected.len() + panel.accepted_conditions.len();
    lines.push(format!("{} candidates, {waived} decisions of humans", panel.candidates.len()));
    lines.push(json(panel));
    lines.join("\n")
}

fn bytes(verdict: &Verdict) -> String {
    serde_json::to_string(verdict).unwrap_or_else(|e| e.to_string())
}

/// Returns a list in an order drawn from a seed.
fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut state = seed | 1;
    for i in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let j = usize::try_from(state % (i as u64 + 1)).unwrap_or(0);
        items.swap(i, j);
    }
    items
}

/// Returns the same panel as it might arrive another time: every list whose order means nothing in another order.
fn rearranged(panel: &Panel, seed: u64) -> Panel {
    let mut other = panel.clone();
    for agent in &mut other.agents {
        agent.claims = shuffled(std::mem::take(&mut agent.claims), seed);
        agent.open_dissent = shuffled(std::mem::take(&mut agent.open_dissent), seed);
    }
    other.agents = shuffled(other.agents, seed);
    other.requirements = shuffled(other.requirements, seed);
    other.waivers = shuffled(other.waivers, seed);
    other.candidates = shuffled(other.candidates, seed);
    other.same_as = shuffled(other.same_as, seed).into_iter().map(|(a, b)| (b, a)).collect();
    other.accepted_conditions = shuffled(other.accepted_conditions, seed);
    other.rejected = shuffled(other.rejected, seed);
    other
}

/// Returns what the clone law speaks of: labels by key, status, exit.
fn result(verdict: &Verdict) -> (Vec<(&Sha, Label)>, Status, u8) {
    (verdict.claims.iter().map(|c| (&c.key, c.label)).collect(), verdict.status, verdict.exit)
}

/// How strong a label is; a conflict has no winner whose label could weaken.
fn strength(label: Label) -> Option<u8> {
    match label {
        Label::Proven => Some(5),
        Label::Agreed => Some(4),
        Label::AgreedOver => Some(3),
        Label::Single => Some(2),
        Label::Hollow => Some(1),
        Label::Conflict => Some(0),
        Label::Refuted => None,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn order_of_arrival_changes_nothing(tape in tape(), seed: u64) {
        let panel = generate(&tape);
        let other = rearranged(&panel, seed);
        prop_assert_eq!(bytes(&decide(&panel)), bytes(&decide(&other)), "{}", told(&panel));
    }

    #[test]
    fn a_second_identical_agent_in_a_family_of_one_changes_no_label_status_or_exit(tape in tape()) {
        let mut panel = generate(&tape);
        // A waiver is for the assertions as they stood: a clone's reopen it.
        panel.waivers.clear();
        let before = decide(&panel);
        for i in 0..panel.agents.len() {
            let agent = &panel.agents[i];
            if panel.agents.iter().filter(|a| a.family == agent.family).count() > 1 {
                continue;
            }
            let mut twin = agent.clone();
            twin.name = AgentName::new(&format!("{}-twin", agent.name)).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let mut both = panel.clone();
            both.agents.push(twin);
            let after = decide(&both);
            prop_assert_eq!(result(&before), result(&after), "{}", told(&both));
        }
    }

    #[test]
    fn losing_an_agent_never_looks_like_agreement_and_never_turns_a_failure_into_a_pass(tape in tape(), lost in prop::sample::select(&LOST[..])) {
        let panel = generate(&tape);
        let before = decide(&panel);
        for i in (0..panel.agents.len()).filter(|i| panel.agents[*i].is_ok()) {
            let mut without = panel.clone();
            without.agents[i].status = lost;
            let after = decide(&without);
            let looks_fine = matches!(after.status, Status::Agree | Status::AgreeWithDissent | Status::Hollow);
            prop_assert!(!looks_fine, "{:?} after losing {}: {}", after.status, panel.agents[i].name, told(&panel));
            let turned = before.exit != 0 && after.exit == 0 && !panel.policy.allow_degraded;
            prop_assert!(!turned, "losing {} passes: {}", panel.agents[i].name, told(&panel));
        }
    }

    #[test]
    fn raising_the_tier_of_a_winning_assertion_never_weakens_its_label(tape in tape()) {
        let mut panel = generate(&tape);
        panel.waivers.clear();
        let before = decide(&panel);
        for i in 0..panel.agents.len() {
            for j in 0..panel.agents[i].claims.len() {
                let Some((claim, tier)) = raisable(&panel, &before, i, j) else { continue };
                let mut raised = panel.clone();
                raised.agents[i].claims[j].tier = tier;
                let after = decide(&raised);
                let now = after.claims.iter().find(|c| c.key == claim.key).map(|c| c.label);
                prop_assert!(
                    now.and_then(strength) >= strength(claim.label),
                    "{} became {now:?} by {tier}: {}", claim.label, told(&panel)
                );
            }
        }
    }

    #[test]
    fn renaming_agents_renames_the_verdict_and_nothing_else(tape in tape(), seed: u64) {
        let mut panel = generate(&tape);
        // A waiver signs names.
        panel.waivers.clear();
        let names: Vec<String> = (0..panel.agents.len()).map(|i| format!("renamed-{i:02}")).collect();
        let mut renames = BTreeMap::new();
        let mut other = panel.clone();
        for (agent, name) in other.agents.iter_mut().zip(shuffled(names, seed)) {
            let new = AgentName::new(&name).map_err(|e| TestCaseError::fail(e.to_string()))?;
            renames.insert(agent.name.clone(), new.clone());
            agent.name = new;
        }
        let mut expected = decide(&panel);
        rename(&mut expected, &renames);
        expected.hash = expected.computed_hash();
        prop_assert_eq!(bytes(&expected), bytes(&decide(&other)), "{}", told(&panel));
    }

    #[test]
    fn there_is_no_exit_0_while_the_winning_outcome_is_no(tape in tape(), no in 0..4usize) {
        let mut panel = generate(&tape);
        // Left to chance, a no that nothing else stops is rare.
        if let Some(no) = ["FAIL", "NO-GO", "REJECTED"].get(no) {
            let claims = panel.agents.iter_mut().flat_map(|a| &mut a.claims);
            claims.filter(|a| a.predicate == "outcome").for_each(|a| a.value = (*no).into());
        }
        let verdict = decide(&panel);
        let says_no = verdict.claims.iter().any(|c| {
            let no = ["FAIL", "NO-GO", "REJECTED"].map(|name| Some(Value::from(name)));
            (c.kind, c.subject.as_str(), c.predicate.as_str()) == (Kind::Decision, "stage", "outcome") && no.contains(&c.value)
        });
        prop_assert!(!(says_no && verdict.exit == 0), "{}", told(&panel));
        prop_assert!(!(verdict.outcome == Decision::Fail && verdict.exit == 0), "{}", told(&panel));
    }

    #[test]
    fn an_empty_panel_never_exits_0(tape in tape(), with_agents: bool) {
        let mut panel = generate(&tape);
        panel.candidates.clear();
        if with_agents {
            panel.agents.iter_mut().for_each(|a| a.claims.clear());
        } else {
            panel.agents.clear();
        }
        let verdict = decide(&panel);
        let allowed = with_agents && verdict.status == Status::Degraded && panel.policy.allow_degraded;
        prop_assert!(verdict.exit != 0 && !allowed, "{:?}: {}", verdict.status, told(&panel));
    }

    #[test]
    fn a_missing_or_unreadable_dissent_is_never_agreement(
        tape in tape(), which: prop::sample::Index, lost in prop::sample::select(&LOST[..])
    ) {
        let mut panel = generate(&tape);
        let voters: Vec<usize> = (0..panel.agents.len()).filter(|i| panel.agents[*i].voter).collect();
        prop_assume!(!voters.is_empty());
        let i = voters[which.index(voters.len())];
        panel.agents[i].status = lost;
        panel.agents[i].open_dissent = vec![Sha::of("some claim")];
        let verdict = decide(&panel);
        let stopped = [Status::Blocked, Status::Rejected, Status::Conflict, Status::NoQuorum];
        // Implement is decided by what was run: there a writer that is gone degrades.
        let degraded = panel.stage == Stage::Implement && verdict.status == Status::Degraded;
        let expected = degraded || stopped.contains(&verdict.status);
        prop_assert!(expected && !clean_exit(&panel, &verdict), "{:?}: {}", verdict.status, told(&panel));
    }

    #[test]
    fn self_reported_confidence_changes_nothing(tape in tape(), confidence in 0.0f64..1.0) {
        let panel = generate(&tape);
        let mut value = serde_json::to_value(&panel).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for agent in value["agents"].as_array_mut().into_iter().flatten() {
            for claim in agent["claims"].as_array_mut().into_iter().flatten() {
                claim["confidence"] = confidence.into();
            }
        }
        let read = parse_panel(&value.to_string()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(bytes(&decide(&panel)), bytes(&decide(&read)));
    }

    #[test]
    fn claims_of_severity_info_change_no_status(tape in tape()) {
        let panel = without_info_waivers(generate(&tape));
        let before = decide(&panel);
        let light: BTreeSet<&Sha> = before
            .claims
            .iter()
            .filter(|c| c.severity == Severity::Info && c.predicate != "condition")
            .flat_map(|c| std::iter::once(&c.key).chain(c.merged_from.iter().map(|m| &m.key)))
            .collect();
        let canon = panel.canon();
        let mut without = panel.clone();
        for agent in &mut without.agents {
            agent.claims.retain(|a| a.tier.is_false() || !light.contains(&canon.key(a.kind, &a.subject, &a.predicate)));
        }
        let after = decide(&without);
        prop_assert_eq!((before.status, before.exit, before.outcome), (after.status, after.exit, after.outcome), "{}", told(&panel));
    }

    #[test]
    fn the_bytes_are_the_same_on_one_thread_and_on_sixteen_in_any_order_of_arrival(tape in tape(), seed: u64) {
        let panel = generate(&tape);
        let once = bytes(&decide(&panel));
        let orders = [seed, seed.wrapping_add(2), seed.wrapping_add(4), !seed].map(|seed| rearranged(&panel, seed));
        for threads in [1, 16] {
            let all: Vec<String> = thread::scope(|scope| {
                let of = |n: usize| &orders[n % orders.len()];
                let running: Vec<_> = (0..threads).map(|n| scope.spawn(move || bytes(&decide(of(n))))).collect();
                running.into_iter().filter_map(|thread| thread.join().ok()).collect()
            });
            prop_assert_eq!(all.len(), threads);
            prop_assert!(all.iter().all(|one| *one == once), "{}", told(&panel));
        }
    }

    #[test]
    fn a_generated_panel_survives_its_own_json(tape in tape()) {
        let panel = generate(&tape);
        prop_assert_eq!(parse_panel(&json(&panel)), Ok(panel));
    }
}

/// Returns the claim that an assertion won, and the next higher tier.
fn raisable<'v>(panel: &Panel, verdict: &'v Verdict, agent: usize, claim: usize) -> Option<(&'v Judged, Tier)> {
    let said = &panel.agents[agent].claims[claim];
    let key = panel.canon().key(said.kind, &said.subject, &said.predicate);
    let judged = verdict.claims.iter().find(|c| c.key == key || c.merged_from.iter().any(|m| m.key == key))?;
    let value = united(panel, agent, said, &judged.predicate);
    let is_winner = Some(said.polarity) == judged.polarity && Some(value) == judged.value;
    let higher = Tier::ALL.into_iter().find(|tier| *tier > said.tier)?;
    (panel.agents[agent].is_ok() && is_winner && !said.tier.is_false()).then_some((judged, higher))
}

/// What an agent holds by an assertion: its value, or the set that its pieces of `checked-by` are. A piece wins if the set
/// does; one that equals the winner and stands in a larger set is a piece of a dissent.
fn united(panel: &Panel, agent: usize, said: &Assertion, predicate: &str) -> Value {
    let canon = panel.canon();
    if predicate != "checked-by" {
        return canon.value(predicate, &said.value);
    }
    let key = |a: &Assertion| canon.key(a.kind, &a.subject, &a.predicate);
    let own = panel.agents[agent]
        .claims
        .iter()
        .filter(|other| key(other) == key(said) && other.polarity == said.polarity && !other.tier.is_false());
    Value::set(own.flat_map(|other| match canon.value(predicate, &other.value) {
        Value::Set(members) => members.to_vec(),
        Value::Text(text) => vec![text.to_string()],
    }))
}

fn rename(verdict: &mut Verdict, renames: &BTreeMap<AgentName, AgentName>) {
    let new = |name: &mut AgentName| {
        if let Some(other) = renames.get(name) {
            *name = other.clone();
        }
    };
    let all = |names: &mut Vec<AgentName>| {
        names.iter_mut().for_each(new);
        names.sort();
    };
    all(&mut verdict.missing_agents);
    verdict.reasons.iter_mut().for_each(|r| all(&mut r.agents));
    for claim in &mut verdict.claims {
        claim.votes.iter_mut().for_each(|v| all(&mut v.agents));
        claim.dissent.iter_mut().for_each(|d| new(&mut d.agent));
        claim.dissent.sort();
    }
    verdict.artifacts.iter_mut().for_each(|a| new(&mut a.agent));
    verdict.artifacts.sort_by(|a, b| a.agent.cmp(&b.agent));
}

/// Tells whether two families speak about one key.
fn shares_a_key(panel: &Panel) -> bool {
    let canon = panel.canon();
    let mut families: BTreeMap<Sha, BTreeSet<&str>> = BTreeMap::new();
    for agent in panel.agents.iter().filter(|a| a.is_ok() && a.voter) {
        for a in &agent.claims {
            families.entry(canon.key(a.kind, &a.subject, &a.predicate)).or_default().insert(agent.family.as_str());
        }
    }
    families.values().any(|speakers| speakers.len() > 1)
}

/// Tells how many of `whole`, and which share that is.
fn share(part: u32, whole: u32) -> String {
    format!("{part:>6}  {:>2}.{} %", 100 * part / whole, 1000 * part / whole % 10)
}

#[test]
fn the_generated_panels_reach_every_label_and_every_status() {
    let counted = COUNTED.max(Config::default().cases);
    let mut runner = TestRunner::deterministic();
    let (mut labels, mut statuses) = (BTreeMap::<Label, u32>::new(), BTreeMap::<Status, u32>::new());
    let mut shared = 0;
    for _ in 0..counted {
        let tape = tape().new_tree(&mut runner).unwrap().current();
        let panel = generate(&tape);
        let verdict = decide(&panel);
        *statuses.entry(verdict.status).or_default() += 1;
        let seen: BTreeSet<Label> = verdict.claims.iter().map(|c| c.label).collect();
        seen.into_iter().for_each(|label| *labels.entry(label).or_default() += 1);
        shared += u32::from(shares_a_key(&panel));
    }
    let computed = Status::ALL.into_iter().filter(|s| !matches!(s, Status::Cancelled | Status::Infra));
    let statuses = computed.map(|status| (status.name(), statuses.get(&status).copied().unwrap_or(0)));
    let labels = Label::ALL.into_iter().map(|label| (label.name(), labels.get(&label).copied().unwrap_or(0)));
    println!("of {counted} generated panels\nshare a key across families {}", share(shared, counted));
    let mut rare = Vec::new();
    for (what, rows) in [("status", statuses.collect::<Vec<_>>()), ("label", labels.collect())] {
        for (name, count) in rows {
            println!("{what:<6} {name:<20} {}", share(count, counted));
            if 100 * count < counted {
                rare.push(name);
            }
        }
    }
    assert!(100 * shared >= 30 * counted, "only {shared} of {counted} share a key");
    assert!(rare.is_empty(), "in less than 1 % of {counted} panels: {rare:?}");
}

#[test]
fn a_panel_that_breaks_a_law_shrinks_to_one_that_can_be_read() {
    for wanted in [Status::Conflict, Status::Blocked, Status::Hollow, Status::NoQuorum] {
        let config = Config { failure_persistence: None, cases: 4_000, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let broken = runner.run(&tape(), |tape| {
            prop_assert!(decide(&generate(&tape)).status != wanted);
            Ok(())
        });
        let Err(TestError::Fail(_, tape)) = broken else { panic!("{wanted} was not reached: {broken:?}") };
        let panel = generate(&tape);
        let said: usize = panel.agents.iter().map(|agent| agent.claims.len()).sum();
        let text = told(&panel);
        println!("a smallest panel that ends in {wanted}:\n{text}\n");
        assert!(panel.agents.len() <= 3 && said <= 12 && text.lines().count() <= 20, "{wanted}, {said} claims: {text}");
    }
}
