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

fn tasks(files: &[(&str, String)]) -> Result<Preparation, Failure> {
    let spec =
        (format!("{DIR}/spec.md"), FileText::text("# Login\n\n- **FR-001**: The system MUST ask for a password.\n"));
    let files = files.iter().map(|(path, text)| (format!("{DIR}/{path}"), FileText::text(text)));
    let tree = Tree { files: files.chain([spec]).collect(), ..Tree::default() };
    let roster = vec![(AgentName::new("ann").unwrap(), None)];
    let ask = Ask {
        recalled: Vec::new(),
        spec: id(),
        stage: Stage::Tasks,
        roster,
        context: None,
        config: None,
        checks: Vec::new(),
        commit: None,
        entries: Vec::new(),
        change: None,
        back: None,
        skipped: Default::default(),
        agenda: None,
    };
    prepare(&tree, &ask)
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
