//! The laws of merging, and what stands in their words.

use proptest::prelude::*;

use super::*;

fn clean(base: &str, ours: &str, hand: &str) -> (String, Stays) {
    match merge(base, ours, hand) {
        Merged::Clean { text, stays } => (text, stays),
        Merged::Collides(places) => panic!("{places:?} of {base:?} {ours:?} {hand:?}"),
    }
}

fn collides(base: &str, ours: &str, hand: &str) -> Vec<Collision> {
    match merge(base, ours, hand) {
        Merged::Clean { text, .. } => panic!("{text:?} of {base:?} {ours:?} {hand:?}"),
        Merged::Collides(places) => places,
    }
}

#[test]
fn what_one_side_changed_is_in_the_merged_text() {
    let base = "a\nb\nc\nd\ne\nf\ng\n";
    let (text, stays) = clean(base, "a\nB\nc\nd\ne\nf\ng\nh\n", "a\nb\nc\nd1\nd2\ne\ng\n");
    assert_eq!(text, "a\nB\nc\nd1\nd2\ne\ng\nh\n");
    assert_eq!(stays, Stays { lines: vec![Span { first: 4, count: 2 }], removed: 2, ticks: 0 });
    assert_eq!(stays.to_string(), "2 lines stay (4-5), 2 lines that it took out stay out");
    assert_eq!(clean(base, "a\nb\nc\nX\ne\nf\ng\n", "a\nb\nc\nX\ne\nf\ng\n").1, Stays::default(), "both alike");
}

#[test]
fn what_both_changed_collides_where_it_stands_in_each() {
    let places = collides("a\nb\nc\nd\n", "0\na\nb\nC\nd\n", "a\nb\nc by hand\nmore\nd\n");
    assert_eq!(places, [Collision { hand: Span { first: 3, count: 2 }, ours: Span { first: 4, count: 1 } }]);
    // Beside each other, in one place, and a line that one took out.
    for (ours, hand) in [("a\nB\nc\n", "a\nb\nC\n"), ("a\nx\nb\nc\n", "a\ny\nb\nc\n"), ("a\nc\n", "a\nb!\nc\n")] {
        assert_eq!(collides("a\nb\nc\n", ours, hand).len(), 1, "{ours:?} {hand:?}");
    }
    let aside = Aside {
        path: "plan.md".into(),
        beside: FileRef { path: "plan.new.md".into(), sha256: crate::domain::hash::Sha::of("x"), bytes: 1 },
        why: Unmerged::Collides(places),
    };
    let told = aside.to_string();
    assert!(
        told.starts_with("a hand had edited plan.md, and ours collides with it at lines 3-4 (in ours 4): "),
        "{told}"
    );
}

#[test]
fn a_tick_stays_with_its_task_wherever_that_is_now() {
    let base = "# Tasks\n- [ ] T001 Write a\n- [x] T002 [P] Write b\n- [ ] T003 Write c\n";
    let ours = "# Tasks\n- [ ] T001 Write before\n- [ ] T002 Write a\n- [x] T003 Write b\n- [ ] T004 Write c\n";
    let hand = "# Tasks\n- [x] T001 Write a\n- [ ] T002 [P] Write b\n- [ ] T003 Write c\n";
    let (text, stays) = clean(base, ours, hand);
    assert_eq!(text, "# Tasks\n- [ ] T001 Write before\n- [x] T002 Write a\n- [ ] T003 Write b\n- [ ] T004 Write c\n");
    assert_eq!(stays.to_string(), "2 ticks stay");
    assert_eq!(clean(base, base, hand).0, hand);
    // A task that is gone, or says something else, is not done by that.
    assert_eq!(collides(base, "# Tasks\n- [ ] T001 Write a better\n", hand).len(), 1);
    // Which of two is meant cannot be known.
    let twice = "- [ ] T001 Write a\n- [ ] T002 Write a\n";
    assert_eq!(
        collides(twice, &format!("- [ ] T001 New\n{}", twice.replace("T00", "T01")), &twice.replacen("[ ]", "[X]", 1))
            .len(),
        1
    );
    assert_eq!(
        clean(twice, &format!("{twice}\nend\n"), &twice.replacen("[ ]", "[X]", 1)).0,
        format!("{}\nend\n", twice.replacen("[ ]", "[X]", 1))
    );
}

#[test]
fn texts_that_are_too_long_are_not_compared_line_by_line() {
    let long: String = (0..=LINES_MAX).map(|n| format!("{n}\n")).collect();
    assert_eq!(clean(&long, &long, "a\n").0, "a\n");
    assert_eq!(clean(&long, "a\n", &long).0, "a\n");
    assert_eq!(collides(&long, "a\n", "b\n").len(), 1);
}

/// Documents of few different lines, some of them tasks: much of them is alike by chance.
fn document() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-f]",
        (1..5_u8, "[ x]", "[a-d]").prop_map(|(n, mark, name)| format!("- [{mark}] T00{n} Write {name}")),
        Just(String::new()),
    ];
    (prop::collection::vec(line, 0..14), any::<bool>()).prop_map(|(lines, ends)| {
        let text = lines.join("\n");
        if ends && !text.is_empty() { text + "\n" } else { text }
    })
}

/// A document and what an editor made of it: lines taken out, put in, ticked.
fn edited(text: &str, edits: &[(u8, usize, String)]) -> String {
    let mut all: Vec<String> = lines(text).into_iter().map(str::to_owned).collect();
    for (kind, at, line) in edits {
        let at = at % (all.len() + 1);
        match kind {
            0 if at < all.len() => drop(all.remove(at)),
            1 if at < all.len() && all[at].contains("[ ]") => all[at] = all[at].replacen("[ ]", "[x]", 1),
            _ => all.insert(at, format!("{line}\n")),
        }
    }
    all.concat()
}

proptest! {
    #[test]
    fn a_side_that_changed_nothing_changes_nothing(base in document(), other in document()) {
        prop_assert_eq!(clean(&base, &base, &other).0, other.clone());
        prop_assert_eq!(clean(&base, &other, &base).0, other);
    }

    #[test]
    fn nothing_that_only_the_hand_wrote_is_lost_without_a_word(
        base in document(),
        ours in document(),
        edits in prop::collection::vec((0..3_u8, 0..20_usize, "[g-m]{1,2}"), 0..5),
    ) {
        let hand = edited(&base, &edits);
        if let Merged::Clean { text, .. } = merge(&base, &ours, &hand) {
            let words = |line: &str| ticks::words(line).unwrap_or_else(|| line.to_owned());
            let (known, merged): (Vec<_>, Vec<_>) = (lines(&base), lines(&text).into_iter().map(words).collect());
            for line in lines(&hand).into_iter().filter(|line| !known.contains(line)) {
                prop_assert!(merged.contains(&words(line)), "{:?} is not in {:?}", line, text);
            }
        }
    }

    #[test]
    fn what_was_merged_is_the_hands_for_the_next_time(
        base in document(),
        ours in document(),
        edits in prop::collection::vec((0..3_u8, 0..20_usize, "[g-m]{1,2}"), 0..4),
    ) {
        let hand = edited(&base, &edits);
        if let Merged::Clean { text, .. } = merge(&base, &ours, &hand) {
            prop_assert_eq!(merge(&base, &ours, &hand), merge(&base, &ours, &hand));
            prop_assert_eq!(clean(&ours, &ours, &text).0, text);
        }
    }
}
