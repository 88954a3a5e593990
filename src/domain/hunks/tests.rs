//! Hunks as they are read, taken together and told to git.

use super::*;

fn agent(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

const DIFF: &str = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n+++ b/src/a.rs\n\
    @@ -1,7 +1,7 @@ fn one() {\n a\n b\n c\n-d\n+D\n e\n f\n g\n\
    @@ -20,4 +20,6 @@ fn two() {\n h\n i\n+--- a/src/a.rs\n+@@ -1 +1 @@\n j\n k\n\
    diff --git a/logo.png b/logo.png\nindex 1..2 100644\nBinary files a/logo.png and b/logo.png differ\n\
    diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n\
    diff --git a/gone b/gone\ndeleted file mode 100644\nindex 1..0\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
    \\ No newline at end of file\n\
    diff --git \"a/q\\\"uo\" \"b/q\\\"uo\"\nnew file mode 100644\nindex 0..0\n";

#[test]
fn a_diff_is_read_into_hunks_and_what_cannot_be_taken_apart_is_one() {
    let diff = Diff::from(DIFF);
    let seen: Vec<_> = diff.hunks().iter().map(|h| (h.place(), h.lines, h.added, h.removed, h.kind)).collect();
    let of = |place: &str| place.to_owned();
    assert_eq!(
        seen,
        [
            (of("src/a.rs:4"), 1, 1, 1, Kind::Lines),
            (of("src/a.rs:22"), 2, 2, 0, Kind::Lines),
            (of("logo.png"), 0, 0, 0, Kind::File),
            (of("run.sh"), 0, 0, 0, Kind::File),
            (of("gone"), 1, 0, 1, Kind::File),
            (of("q\"uo"), 0, 0, 0, Kind::File),
        ]
    );
    // Nothing of it is lost, and each name is there once.
    assert_eq!(diff.hunks().iter().map(|hunk| &DIFF[hunk.at.clone()]).collect::<String>(), DIFF);
    assert_eq!(diff.hunks().iter().map(|hunk| &hunk.id).collect::<BTreeSet<_>>().len(), 6);
    assert_eq!(diff.shown(&diff.hunks()[1]).text, "fn two() {\n--- a/src/a.rs\n@@ -1 +1 @@\n");
}

#[test]
fn a_file_whose_bytes_are_no_text_is_taken_whole() {
    let text =
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+\u{fffd}\n@@ -9 +9 @@\n-b\n+c\n";
    let kinds: Vec<Kind> = Diff::from(text).hunks().iter().map(|hunk| hunk.kind).collect();
    assert_eq!(kinds, [Kind::File]);
}

#[test]
fn a_part_of_a_file_is_told_to_git_without_context_and_a_whole_one_by_its_name() {
    let (diff, ann) = (Diff::from(DIFF), agent("ann"));
    let diffs = BTreeMap::from([(&ann, &diff)]);
    let id = |at: usize| diff.hunks()[at].id.clone();
    let picks = Picks([(ann.clone(), [id(1), id(2)].into())].into());
    let recipe = recipe(&diffs, &picks);
    assert_eq!(recipe.whole, BTreeMap::from([(ann.clone(), BTreeSet::from(["logo.png".to_owned()]))]));
    assert_eq!(
        recipe.patch,
        "diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -21,0 +22,2 @@\n+--- a/src/a.rs\n+@@ -1 +1 @@\n"
    );
    let both = Picks([(ann.clone(), [id(0), id(1)].into())].into());
    assert_eq!(super::recipe(&diffs, &both).whole[&ann], BTreeSet::from(["src/a.rs".to_owned()]));
    assert_eq!(super::recipe(&diffs, &Picks::default()), Recipe::default());
}

#[test]
fn a_hunk_of_another_agent_is_taken_beside_and_one_that_meets_a_taken_one_is_refused() {
    let of =
        |hunks: &str| Diff::from(format!("diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n{hunks}").as_str());
    let ann_diff = of("@@ -4,1 +4,1 @@\n-d\n+D\n@@ -20,0 +21,1 @@\n+new\n");
    let bob_diff = of("@@ -5,1 +5,1 @@\n-e\n+E\n@@ -8,1 +8,1 @@\n-h\n+H\n@@ -20,0 +21,1 @@\n+other\n");
    let (ann, bob) = (agent("ann"), agent("bob"));
    let diffs = BTreeMap::from([(&ann, &ann_diff), (&bob, &bob_diff)]);
    let mut picks = Picks(BTreeMap::from([(ann.clone(), ann_diff.hunks().iter().map(|h| h.id.clone()).collect())]));
    let bobs = bob_diff.hunks();
    for (at, met) in [(0, 0), (2, 1)] {
        let refused = picks.toggle(&bob, &bobs[at].id, &diffs).unwrap_err();
        assert_eq!(refused, (ann.clone(), &ann_diff.hunks()[met]), "beside or at the same place: hunk {at}");
    }
    picks.toggle(&bob, &bobs[1].id, &diffs).unwrap();
    assert!(picks.has(&bob, &bobs[1].id));
    let merged = recipe(&diffs, &picks);
    assert!(merged.whole.is_empty());
    assert!(
        merged.patch.ends_with("@@ -4,1 +4,1 @@\n-d\n+D\n@@ -8,1 +8,1 @@\n-h\n+H\n@@ -20,0 +21,1 @@\n+new\n"),
        "{}",
        merged.patch
    );
    // Left again, the way is free.
    picks.toggle(&ann, &ann_diff.hunks()[0].id, &diffs).unwrap();
    picks.toggle(&bob, &bobs[0].id, &diffs).unwrap();
    assert!(picks.has(&bob, &bobs[0].id) && !picks.is_empty());
}
