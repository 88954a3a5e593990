//! What is said to be settled is held against everything that those who are out could still say.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::ids::Family;

const FAMILIES: [&str; 4] = ["a", "b", "c", "d"];

/// What one agent says on the one claim: nothing, or a value with a tier.
fn said(topic: &str, severity: &str, word: &Option<(usize, &'static str)>) -> Vec<Json> {
    let value = |n: usize| ["10", "20", "30"][n];
    word.iter().map(|(n, tier)| say("decision", topic, "answer", value(*n), 1, severity, tier)).collect()
}

fn word() -> impl Strategy<Value = Option<(usize, &'static str)>> {
    prop_oneof![1 => Just(None), 6 => (0..2usize, prop_oneof![Just("E0"), Just("E1"), Just("E2")]).prop_map(Some)]
}

/// Everything that one agent who is out may come to: it fails, is silent, or takes any side with any tier.
fn endings() -> Vec<(&'static str, Option<(usize, &'static str)>)> {
    let mut all = vec![("timeout", None), ("ok", None)];
    for side in 0..3 {
        all.extend(["E-", "E0", "E2"].map(|tier| ("ok", Some((side, tier)))));
    }
    all
}

/// The labels that a panel may end in, over all endings of those who are out.
fn labels(heard: &Build, severity: &str, out: &[(String, usize)]) -> BTreeSet<Label> {
    let mut panels = vec![heard.clone()];
    for (name, family) in out {
        let more = |built: &Build| {
            endings()
                .into_iter()
                .map(|(status, word)| {
                    built.clone().member(name, FAMILIES[*family], status, &said("D-001", severity, &word))
                })
                .collect::<Vec<_>>()
        };
        panels = panels.iter().flat_map(more).collect();
    }
    let key = key_of(Kind::Decision, "D-001", "answer");
    panels.iter().filter_map(|built| built.decide().claims.iter().find(|c| c.key == key).map(|c| c.label)).collect()
}

fn families(out: &[(String, usize)]) -> Vec<Family> {
    out.iter().map(|(_, family)| Family::new(FAMILIES[*family]).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_settled_label_is_the_same_whatever_those_who_are_out_say(
        heard in prop::collection::vec((0..4usize, word()), 1..6),
        missing in prop::collection::vec(0..4usize, 1..3),
        is_major in any::<bool>(),
    ) {
        let severity = if is_major { "major" } else { "minor" };
        let mut built = panel("plan");
        for (n, (family, word)) in heard.iter().enumerate() {
            built = built.member(&format!("h{n}"), FAMILIES[*family], "ok", &said("D-001", severity, word));
        }
        let out: Vec<(String, usize)> = missing.iter().enumerate().map(|(n, family)| (format!("m{n}"), *family)).collect();
        let settled = settled(&built.panel(), &families(&out));
        let key = key_of(Kind::Decision, "D-001", "answer");
        if settled.contains(&key) {
            prop_assert_eq!(labels(&built, severity, &out).len(), 1);
        }
    }
}

#[test]
fn each_way_to_be_settled_is_found() {
    let minor = |n, tier| said("D-001", "minor", &Some((n, tier)));
    let major = |n, tier| said("D-001", "major", &Some((n, tier)));
    let key = key_of(Kind::Decision, "D-001", "answer");
    let out = [Family::new("z").unwrap()];
    let is_settled = |built: &Build| settled(&built.panel(), &out).contains(&key);
    let two_of_weight = panel("plan").agent("a", &major(0, "E2")).agent("b", &major(1, "E2"));
    assert!(is_settled(&two_of_weight), "evidence on both sides");
    let spread = panel("plan").agent("a", &minor(0, "E0")).agent("b", &minor(1, "E0")).agent("c", &minor(2, "E0"));
    assert!(!is_settled(&panel("plan").agent("a", &minor(0, "E0")).agent("b", &minor(1, "E0"))), "z decides");
    assert!(is_settled(&spread), "2 of 4 are less than 2/3");
    let ahead = ["a", "b", "c", "d"].iter().fold(panel("plan"), |built, name| built.agent(name, &minor(0, "E0")));
    assert!(!is_settled(&ahead), "one word against it would change agreed");
    assert!(is_settled(&ahead.clone().agent("e", &minor(1, "E0"))), "4 of 6 at worst, 5 of 6 at best");
    assert!(!is_settled(&ahead.agent("e", &major(1, "E0"))), "a dissent of weight may still come with evidence");
    assert!(is_settled(&panel("plan").agent("a", &minor(0, "E3+"))), "the host ran it");
    let words = panel("plan").agent("a", &[risk("redis is down", "minor", "E3+")]);
    assert!(settled(&words.panel(), &out).is_empty(), "free text may still merge");
    assert_eq!(settled(&words.panel(), &[]).len(), 1, "with nobody out nothing changes");
}
