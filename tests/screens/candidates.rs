//! The candidates of implement, one model for each state of their page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dicast::app::model::{Basket, Model, Phase, SeatState, View};
use dicast::domain::artifact::body::Change;
use dicast::domain::candidate::{Candidate, Chosen, Extra, Extras, Landing, Look, Patch, Place, Share, Tried};
use dicast::domain::consensus::Status;
use dicast::domain::hash::Sha;
use dicast::domain::hunks::Picks;
use dicast::domain::ids::Family;
use dicast::domain::moment::Moment;
use dicast::domain::safe::Safe;
use dicast::domain::stage::Stage;

use crate::fixtures::{Fixture, with_run};
use crate::parts::*;

const DIFF: &str = "diff --git a/src/limiter.rs b/src/limiter.rs\nindex 11..22 100644\n--- a/src/limiter.rs\n\
    +++ b/src/limiter.rs\n@@ -40,3 +40,4 @@ impl Limiter\n     fn allow(&self, key: &Key, now: Instant) -> Decision {\n\
    -        let mut c = self.map.entry(key).or_default();\n\
    +        let mut b = self.buckets.entry(key).or_insert_with(Bucket::full);\n+        b.refill(now, self.rate);\n\
    \u{20}    }\n@@ -90,2 +91,3 @@ impl Bucket\n     }\n+    // \u{1b}[31mred\u{202e}\n }\n\
    diff --git a/tests/limiter.rs b/tests/limiter.rs\nnew file mode 100644\nindex 00..33\n--- /dev/null\n\
    +++ b/tests/limiter.rs\n@@ -0,0 +1,2 @@\n+#[test]\n+fn burst() {}\n";

/// Every state of the page.
pub(crate) fn all() -> Vec<Fixture> {
    let landed = |place| {
        let candidate = tried().candidates.remove(0);
        let by = ("RUN", &Sha::of("v"));
        let spec = spec_id(SPEC);
        let (agent, tree) = (candidate.agent, candidate.tree);
        let chosen =
            Chosen { agent, tree, left_out: Vec::new(), also: Vec::new(), unasked: Vec::new(), by: "ana".into() };
        let landing = Landing::of((&spec, "Rate limiter"), ("4f2c1d9aa0", chosen), by, (place, Moment(5)));
        shown((0, 0), Some(landing), true)
    };
    vec![
        ("candidates", shown((0, 0), None, true)),
        ("candidates_hunk", shown((0, 1), None, true)),
        ("candidates_out", shown((2, 0), None, false)),
        ("candidates_unasked", unasked(false)),
        ("candidates_picked", unasked(true)),
        ("candidates_worth", worth()),
        ("candidates_on_branch", landed(Place::Branch)),
        ("candidates_in_tree", landed(Place::Tree)),
    ]
}

/// The second hunk is one that no task asked for; or a person took it, and left the first.
fn unasked(is_picked: bool) -> Model {
    let mut model = shown((0, 1), None, true);
    let run = model.runs.values_mut().next().unwrap();
    let patch = run.seats[0].change.clone().unwrap();
    let [_, second, third] = patch.diff.hunks() else { panic!("three hunks") };
    let mut tried = (**run.tried.as_ref().unwrap()).clone();
    let extra = Extra { id: second.id.clone(), place: Safe::line(&second.place()) };
    tried.candidates[0].extras = Some(Extras { whole: patch.tree.clone(), hunks: vec![extra], needed: false });
    run.tried = Some(Arc::new(tried));
    let picks = Picks([(name("claude"), [second.id.clone(), third.id.clone()].into())].into());
    run.basket = is_picked.then(|| Basket { main: name("claude"), picks });
    model
}

/// Tests of codex pass on claude's code, too.
fn worth() -> Model {
    let mut model = shown((0, 0), None, true);
    let run = model.runs.values_mut().next().unwrap();
    let mut tried = (**run.tried.as_ref().unwrap()).clone();
    tried.candidates[0].passed = ["codex: burst".to_owned(), "codex: refill".to_owned()].into();
    run.tried = Some(Arc::new(tried));
    let patch = run.seats[0].change.clone().unwrap();
    run.seats[1].change = Some(Arc::new(Patch { tree: "tree of codex".into(), ..(*patch).clone() }));
    model
}

fn tried() -> Tried {
    let one =
        |agent: &str, lines: (u64, u64), yours: u64, theirs: Share, alike: &[&str], out: Option<&str>| Candidate {
            agent: name(agent),
            family: Family::new(agent).unwrap(),
            tree: format!("tree of {agent}"),
            state: String::new(),
            files: 3,
            added: lines.0,
            removed: lines.1,
            yours: Share { passed: yours, of: 18 },
            theirs,
            passed: BTreeSet::new(),
            failed: BTreeSet::new(),
            out: out.map(Safe::line),
            alike: alike.iter().map(|agent| name(agent)).collect(),
            extras: None,
            looks: vec![
                Look { name: "clippy".into(), passed: agent != "qwen" },
                Look { name: "fmt".into(), passed: true },
            ],
        };
    let all = Share { passed: 7, of: 7 };
    Tried {
        base: "4f2c1d9aa0".into(),
        candidates: vec![
            one("claude", (212, 31), 18, all, &["codex"], None),
            one("codex", (164, 12), 18, all, &["claude"], None),
            one("qwen", (90, 2), 16, Share { passed: 0, of: 7 }, &[], Some("broke 2: store::keeps")),
        ],
    }
}

fn shown((cursor, hunk): (usize, usize), landing: Option<Landing>, has_diff: bool) -> Model {
    let patch = Patch {
        base: "4f2c1d9aa0".into(),
        tree: "tree of claude".into(),
        files: BTreeMap::from([("src/limiter.rs".to_owned(), Change::Modify)]),
        added: 212,
        removed: 31,
        left_out: Vec::new(),
        unfit: None,
        diff: DIFF.into(),
    };
    let mut seats: Vec<_> = ["claude", "codex", "qwen"].map(|agent| seat(agent, agent, SeatState::Answered)).into();
    seats[0].change = has_diff.then(|| Arc::new(patch));
    let mut run = run(Phase::Decided, seats);
    run.stage = Stage::Implement;
    let mut judgement = judged(panel());
    let verdict = Arc::make_mut(&mut judgement.verdict);
    (verdict.status, verdict.exit) = (Status::Agree, 0);
    run.judgement = Some(Arc::new(judgement.clone()));
    run.verdicts.insert(Stage::Implement, Arc::new(judgement));
    run.tried = Some(Arc::new(tried()));
    (run.landed, run.landing) = (landing.is_some(), landing);
    let model = with_run(started(), run);
    let view = View::Candidates { run: run_id(), cursor, hunk, beside: true };
    Model { views: vec![View::Home { cursor: 0 }, view], ..model }
}

/// A candidate with so many hunks, one of them in three a test, and another whose tests pass on it, too.
pub(crate) fn many(hunks: usize) -> Model {
    let mut model = worth();
    let text: String = (0..hunks)
        .map(|n| {
            let file = if n % 3 == 0 { format!("tests/t{n}.rs") } else { format!("src/m{n}.rs") };
            format!(
                "diff --git a/{file} b/{file}\nindex 1..2 100644\n--- a/{file}\n+++ b/{file}\n@@ -7,3 +7,3 @@\n a\n-b{n}\n+c{n}\n d\n"
            )
        })
        .collect();
    let run = model.runs.values_mut().next().unwrap();
    for seat in &mut run.seats {
        if let Some(patch) = seat.change.clone() {
            seat.change = Some(Arc::new(Patch { diff: text.as_str().into(), ..(*patch).clone() }));
        }
    }
    model
}
