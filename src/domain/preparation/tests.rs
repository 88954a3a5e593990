//! Whether a stage may start from what the spec's folder holds.

use super::*;
use crate::domain::check::FileText;
use crate::domain::consensus::{Answer, Panel, Participant, Requirement, decide};
use crate::domain::ids::Family;
use crate::domain::spec::Level;

const DIR: &str = "specs/001-login";

fn id() -> SpecId {
    SpecId::new("001-login").unwrap()
}

/// The verdict of a panel of two families, of which both or only one answered.
fn verdict(both: bool) -> Verdict {
    let mut panel = Panel::new(id(), Stage::Plan);
    panel.inputs.spec_sha256 = Some(Sha::of(SPEC));
    panel.requirements = vec![Requirement { id: "FR-001".into(), level: Level::Must }];
    let covers = serde_json::json!({"kind":"covers","subject":"FR-001","predicate":"covered","value":"yes","polarity":1,"severity":"major","tier":"E2"});
    for (name, is_there) in [("ann", true), ("ben", both)] {
        panel.agents.push(Participant {
            name: AgentName::new(name).unwrap(),
            family: Family::new(name).unwrap(),
            voter: true,
            status: if is_there { Answer::Ok } else { Answer::Timeout },
            open_dissent: Vec::new(),
            artifact: None,
            claims: if is_there { vec![serde_json::from_value(covers.clone()).unwrap()] } else { Vec::new() },
        });
    }
    decide(&panel)
}

const SPEC: &str = "# Login\n\n- **FR-001**: The system MUST ask for a password.\n";

fn tasks(files: &[(&str, String)]) -> Result<Preparation, Failure> {
    prepared(Stage::Tasks, files)
}

fn prepared(stage: Stage, files: &[(&str, String)]) -> Result<Preparation, Failure> {
    let spec = (format!("{DIR}/spec.md"), FileText::text(SPEC));
    let files = files.iter().map(|(path, text)| (format!("{DIR}/{path}"), FileText::text(text)));
    let tree = Tree { files: files.chain([spec]).collect(), ..Tree::default() };
    let roster = vec![(AgentName::new("ann").unwrap(), None)];
    let ask = Ask {
        recalled: Vec::new(),
        spec: id(),
        stage,
        roster,
        context: None,
        config: None,
        checks: Vec::new(),
        commit: None,
        entries: Vec::new(),
        change: None,
        back: None,
        brief: None,
        skipped: Default::default(),
        left_out: Vec::new(),
        agenda: None,
    };
    prepare(&tree, &ask)
}

fn stands(files: &[(&str, String)]) -> Vec<String> {
    tasks(files).unwrap().standing.into_iter().map(|(path, sha)| format!("{path} {sha}")).collect()
}

fn json(verdict: &Verdict) -> String {
    serde_json::to_string(verdict).unwrap()
}

const PLAN: &str = "# Plan\n\n1. Ask for it.\n";

#[test]
fn a_plan_that_did_not_pass_is_nothing_to_go_on_with_although_its_document_is_there() {
    let open = verdict(false);
    assert!(!open.is_advancing());
    for files in [
        &[("verdicts/plan.json", json(&open)), ("plan.md", PLAN.to_owned())][..],
        &[("verdicts/plan.json", json(&open))],
    ] {
        let failure = tasks(files).unwrap_err();
        assert_eq!(failure.exit(), 10, "{failure}");
        assert!(failure.to_string().contains("its plan ended in no_quorum"), "{failure}");
        assert!(
            failure.hint().contains("dicast dissent 001-login") && failure.hint().contains("dicast plan 001-login")
        );
    }
}

#[test]
fn a_plan_that_passed_or_was_written_by_hand_is_gone_on_with() {
    let passed = verdict(true);
    assert!(passed.is_advancing());
    let preparation = tasks(&[("verdicts/plan.json", json(&passed)), ("plan.md", PLAN.to_owned())]).unwrap();
    assert_eq!(preparation.inputs.verdicts.get("plan"), Some(&passed.hash));
    assert!(tasks(&[("plan.md", PLAN.to_owned())]).unwrap().inputs.verdicts.is_empty());
    assert_eq!(tasks(&[]).unwrap_err().exit(), 10);
}

#[test]
fn a_verdict_that_was_altered_is_refused_before_anything_of_it_is_trusted() {
    let open = verdict(false);
    let polished = Verdict { status: crate::domain::consensus::Status::Agree, exit: 0, ..open };
    assert!(polished.is_advancing());
    let mut elsewhere = verdict(true);
    elsewhere.spec_id = SpecId::new("002-audit").unwrap();
    elsewhere.hash = elsewhere.computed_hash();
    for text in [json(&polished), json(&elsewhere), "{".to_owned()] {
        let failure = tasks(&[("verdicts/plan.json", text), ("plan.md", PLAN.to_owned())]).unwrap_err();
        assert_eq!(failure.exit(), 3, "{failure}");
        assert!(failure.to_string().contains("specs/001-login/verdicts/plan.json"), "{failure}");
        assert!(failure.hint().contains("restore the file"));
    }
}

#[test]
fn a_clone_knows_by_the_committed_verdicts_which_files_are_ours() {
    let mut plan = verdict(true);
    plan.published = [(format!("{DIR}/plan.md"), Sha::of(PLAN))].into();
    assert_eq!(plan.computed_hash(), plan.hash, "what was written with it is outside the hash");
    let audit = Verdict { exit: 0, stage: Stage::Audit, ..verdict(false) };
    let files = [("verdicts/plan.json", json(&plan)), ("verdicts/audit.json", json(&audit)), ("plan.md", PLAN.into())];
    let ours =
        [format!("{DIR}/plan.md {}", Sha::of(PLAN)), format!("{DIR}/verdicts/plan.json {}", Sha::of(json(&plan)))];
    assert_eq!(stands(&files), ours, "a verdict that was altered is nobody's");
    let edited = [("verdicts/plan.json", json(&plan)), ("plan.md", "by hand".into())];
    assert_eq!(stands(&edited), ours, "what a hand wrote has another hash than what is ours to replace");
}

#[test]
fn what_is_published_for_one_spec_leaves_the_tree_of_another_as_it_was() {
    let paths = [("specs/001-login/spec.md", "# Login"), ("specs/002-out/spec.md", "# Out"), ("src/a.rs", "fn a() {}")];
    let base = Tree { files: paths.map(|(path, text)| (path.into(), FileText::text(text))).into(), ..Tree::default() };
    let with = |path: &str| {
        let mut tree = base.clone();
        tree.files.insert(path.into(), FileText::text("new"));
        tree_id(&tree) == tree_id(&base)
    };
    for ours in
        ["plan.md", "tasks.md", "plan.dicast-new.md", "tasks.dicast-new.2.md", "verdicts/plan.json", "review/x.md"]
    {
        assert!(with(&format!("specs/002-out/{ours}")) && with(&format!("{DIR}/{ours}")), "{ours}");
    }
    for theirs in ["specs/002-out/notes.md", "specs/002-out/spec.md", "specs/003-none/plan.md", "src/plan.md"] {
        assert!(!with(theirs), "{theirs}");
    }
}

#[test]
fn a_plan_of_another_text_of_the_spec_is_told_and_one_that_nobody_recorded_is_not() {
    let mut plan = verdict(true);
    assert_eq!(tasks(&[("verdicts/plan.json", json(&plan))]).unwrap().outdated, None);
    assert_eq!(tasks(&[("plan.md", PLAN.to_owned())]).unwrap().outdated, None);
    plan.inputs.spec_sha256 = Some(Sha::of("what it said before"));
    plan.hash = plan.computed_hash();
    assert_eq!(tasks(&[("verdicts/plan.json", json(&plan))]).unwrap().outdated, Some(Stage::Plan));
}

#[test]
fn who_plans_and_who_writes_code_are_shown_what_the_code_has_to_keep_to() {
    let texts =
        ["research.md", "data-model.md", "design.md", "contracts/api.yaml", "checklists/ux.md", "plan.md", "tasks.md"]
            .map(|path| (path, format!("words of {path}")));
    for (stage, shown) in [
        (Stage::Plan, &["checklists/ux.md", "contracts/api.yaml", "data-model.md", "design.md", "research.md"][..]),
        (
            Stage::Tasks,
            &["checklists/ux.md", "contracts/api.yaml", "data-model.md", "design.md", "plan.md", "research.md"],
        ),
        (Stage::Implement, &["contracts/api.yaml", "data-model.md", "design.md", "plan.md", "tasks.md"]),
        (Stage::Validate, &["contracts/api.yaml", "data-model.md", "design.md", "plan.md", "tasks.md"]),
    ] {
        let preparation = prepared(stage, &texts).unwrap();
        let prompt = preparation.prompts.values().next().unwrap();
        let quoted: Vec<&str> =
            texts.iter().map(|(path, _)| *path).filter(|path| prompt.contains(&format!("words of {path}"))).collect();
        assert_eq!(quoted.iter().copied().collect::<BTreeSet<_>>(), shown.iter().copied().collect(), "{stage}");
        let bound: Vec<String> = preparation.inputs.documents.into_keys().collect();
        assert_eq!(bound, shown.iter().map(|path| format!("{DIR}/{path}")).collect::<Vec<_>>(), "{stage}");
        assert_eq!(preparation.unseen, None);
    }
}

#[test]
fn what_does_not_fit_into_a_prompt_is_told() {
    let many: Vec<(String, String)> = (0..30)
        .map(|n| (format!("contracts/{n:02}.yaml"), if n == 3 { "x".repeat(200 << 10) } else { "a: 1".into() }))
        .collect();
    let many: Vec<(&str, String)> = many.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let preparation = prepared(Stage::Plan, &many).unwrap();
    assert_eq!(preparation.inputs.documents.len(), 24);
    let told = preparation.unseen.unwrap();
    assert!(told.as_str().contains("contracts/03.yaml, specs/001-login/contracts/25.yaml"), "{told}");
    assert!(told.as_str().contains("and 1 more: of a spec's folders 24 files and 128 KiB"), "{told}");
}
