//! What a run proposes for a spec, and what a person does with it.

use std::sync::Arc;

use super::script::{Kind, Script, names, spec};
use crate::app::event::What;
use crate::app::key::Key;
use crate::app::keymap::{Action, footer};
use crate::app::model::{Load, Phase, View};
use crate::app::msg::{Msg, Request, Start};
use crate::app::update::can;
use crate::domain::failure::AgentError;
use crate::domain::proposal::Deed;
use crate::domain::stage::Stage;

use super::world::Play;

const OLD: &str = "# Login\n\n- **FR-001**: The system MUST ask for a password.\n";
const NEW: &str = "# Login\n\n- **FR-001**: The system MUST ask for a password of 12 characters.\n";

fn specify(mut script: Script, adopt: bool, brief: Option<&str>) -> Script {
    script.world.proposes.get_or_insert(NEW.to_owned());
    ask(&mut script, adopt, brief);
    script
}

fn ask(script: &mut Script, adopt: bool, brief: Option<&str>) {
    let brief = brief.map(str::to_owned);
    let start = Start { adopt, brief, ..Start::of(spec("001-login"), vec![Stage::Specify]) };
    script.send(Msg::Asked(Request::Start(start)));
    script.settle();
}

fn told(script: &Script) -> Vec<&What> {
    let about = |what: &&What| matches!(what, What::SpecProposed { .. } | What::SpecRewritten { .. });
    script.events().iter().map(|event| &event.what).filter(about).collect()
}

#[test]
fn a_program_is_told_what_is_proposed_and_that_a_person_has_to_say_yes() {
    let script = specify(Script::headless(), false, None);
    let [What::SpecProposed { added: 1, removed: 1, diff, notes, .. }] = told(&script)[..] else {
        panic!("{}", script.story())
    };
    assert!(diff.contains("+- **FR-001**: The system MUST ask for a password of 12 characters.\n"), "{diff}");
    assert_eq!(notes.as_deref(), Some("specs/001-login/review/specify.md"));
    assert_eq!((script.finished(), script.world.document.as_str()), (vec![10], ""));
    let Phase::Failed(failure) = &script.run().phase else { panic!("{:?}", script.run().phase) };
    assert!(failure.hint().contains("dicast specify 001-login --apply"), "{}", failure.hint());
}

#[test]
fn who_said_yes_before_has_it_written_once_the_verdict_lets_it_through() {
    let script = specify(Script::headless(), true, None);
    let [What::SpecProposed { .. }, What::SpecRewritten { deed: Deed::Adopted, by, .. }] = told(&script)[..] else {
        panic!("{}", script.story())
    };
    assert_eq!((by.as_str(), script.world.document.as_str(), script.finished()), ("ana", NEW, vec![0]));
}

#[test]
fn what_the_verdict_does_not_let_through_is_not_written() {
    let mut script = Script::headless();
    for agent in ["codex", "gemini"] {
        script.plays(agent, [Play::Fails(AgentError::CommandNotFound { command: agent.into() })]);
    }
    let script = specify(script, true, None);
    assert_eq!((script.finished(), script.world.document.as_str()), (vec![4], ""), "{}", script.story());
}

#[test]
fn a_panel_that_would_change_nothing_leaves_nothing_to_say_yes_to() {
    let mut script = Script::headless();
    script.world.proposes = Some(OLD.to_owned());
    let script = specify(script, false, None);
    assert!(matches!(told(&script)[..], [What::SpecProposed { added: 0, removed: 0, .. }]), "{}", script.story());
    assert_eq!(script.finished(), [0]);
}

#[test]
fn a_run_that_was_killed_goes_on_with_what_was_wanted_and_other_words_begin_anew() {
    let mut script = Script::headless();
    script.hold(Kind::Judge);
    script = specify(script, false, Some("longer passwords"));
    let mut again = script.reborn();
    ask(&mut again, false, None);
    assert_eq!(again.run().brief.as_deref(), Some("longer passwords"));
    assert_eq!((again.asked(), again.id()), (vec![], script.id()), "nobody is asked twice");
    let mut other = script.reborn();
    ask(&mut other, false, Some("no passwords"));
    assert_eq!(other.run().brief.as_deref(), Some("no passwords"));
}

#[test]
fn on_screen_nothing_is_written_before_enter_and_u_takes_it_back() {
    let mut script = specify(Script::new(), false, None);
    script.expect_phase(Phase::Decided);
    script.key(Key::Char('v')).key(Key::Char('w')).settle();
    let View::Proposal(page) = script.model.view() else { panic!("{:?}", script.model.view()) };
    assert!(matches!(page.proposal, Load::Ready(_)) && script.world.document.is_empty());
    assert!(!can(&script.model, Action::Undo), "nothing is written yet");
    script.hold(Kind::Proposal).key(Key::Enter);
    assert!(script.key(Key::Enter).pending.len() == 1, "once is enough: {}", script.story());
    script.unhold().settle();
    assert_eq!(script.world.document, NEW);
    assert!(can(&script.model, Action::Undo));
    script.key(Key::Char('u')).settle();
    assert_eq!(script.world.document, OLD);
    script.key(Key::Enter).settle();
    assert_eq!(script.world.document, NEW, "it can be written again");
    script.key(Key::Esc);
    assert!(matches!(script.model.view(), View::Verdict { .. }));
}

#[test]
fn after_it_was_written_c_goes_on_to_what_it_leaves_open() {
    let mut script = Script::new();
    script.world.gate_text = "# X\n\n- **FR-001**: It MUST wait [NEEDS CLARIFICATION: how long?]\n".into();
    let mut script = specify(script, false, None);
    script.key(Key::Char('v')).key(Key::Char('w')).settle();
    script.key(Key::Enter).settle();
    script.key(Key::Char('c')).settle();
    assert!(matches!(script.model.view(), View::Gate(_)), "{}", script.story());
}

#[test]
fn what_was_replaced_under_the_page_is_not_written_and_is_shown_anew() {
    let mut script = specify(Script::new(), false, None);
    script.key(Key::Char('v')).key(Key::Char('w')).settle();
    script.world.proposes = Some(format!("{NEW}- more\n"));
    script.key(Key::Enter).settle();
    assert!(script.world.document.is_empty(), "it is not what was looked at");
    assert!(script.model.notice.as_ref().is_some_and(|notice| notice.bad));
    let View::Proposal(page) = script.model.view() else { panic!("{:?}", script.model.view()) };
    assert!(page.proposal.ready().is_some_and(|proposal| proposal.text.ends_with("- more\n")));
}

#[test]
fn what_was_written_here_and_changed_by_a_hand_since_is_not_called_written_any_more() {
    let mut script = specify(Script::new(), false, None);
    script.key(Key::Char('v')).key(Key::Char('w')).settle();
    script.key(Key::Enter).settle();
    script.world.document.push_str("- **FR-009**: It MUST be mine.\n");
    script.world.backups.clear();
    script.key(Key::Char('u')).settle();
    let View::Proposal(page) = script.model.view() else { panic!("{:?}", script.model.view()) };
    assert!(page.rewritten.is_none() && !can(&script.model, Action::Undo), "{page:?}");
}

#[test]
fn a_spec_with_a_proposal_or_without_words_of_its_own_offers_specify_first() {
    let mut script = Script::new();
    let mut overview = (**script.model.survey.ready().unwrap()).clone();
    overview.specs[0].is_blank = true;
    overview.specs[1].is_proposed = true;
    script.model.survey = Load::Ready(Arc::new(overview));
    let rows = crate::app::update::home_rows(&script.model);
    let steps = rows.iter().filter(|row| matches!(row, crate::app::update::HomeRow::Step(Stage::Specify, _))).count();
    assert_eq!(steps, 2);
    // The one that is proposed is shown, the other one is asked for.
    script.world.proposes = Some(NEW.into());
    script.key(Key::Char('G')).key(Key::Enter).settle();
    assert!(matches!(script.model.view(), View::Proposal(page) if page.spec == spec("002-audit")));
    assert!(footer(&script.model).iter().any(|binding| binding.label == "apply"));
    script.key(Key::Esc).key(Key::Char('k')).key(Key::Enter);
    assert!(names(&script.effects).iter().any(|name| name == "find"), "{}", script.story());
}
