//! Transcripts: pages are asked for one at a time, and arrive wherever the user is by then.

use super::script::{Kind, Script, agent, names};
use super::world::Play;
use crate::app::key::Key;
use crate::app::model::{Load, Transcript, View};
use crate::app::msg::{Input, Msg};
use crate::domain::stage::Stage;

fn reading() -> Script {
    let mut script = Script::new();
    script.plays("claude", [Play::Hangs]).plays("codex", [Play::Hangs]).start(&[Stage::Plan]).settle();
    script.hold(Kind::Page).key(Key::Enter);
    script
}

fn transcript(script: &Script) -> &Transcript {
    let found = script.model.views.iter().find_map(|view| if let View::Transcript(t) = view { Some(t) } else { None });
    found.unwrap()
}

#[test]
fn a_page_that_arrives_under_the_help_is_taken() {
    let mut script = reading();
    script.key(Key::Char('?')).unhold().settle();
    assert!(matches!(transcript(&script).page, Load::Ready(_)));
    assert!(!transcript(&script).reading, "or it would never be read again");
}

#[test]
fn a_page_of_a_transcript_that_was_closed_is_not_shown_in_another() {
    let mut script = reading();
    script.key(Key::Esc).key(Key::Down).key(Key::Enter);
    assert_eq!(transcript(&script).seat.agent, agent("codex"));
    script.answer_one(Kind::Page);
    assert!(matches!(transcript(&script).page, Load::Loading(_)));
    script.answer_one(Kind::Page);
    assert!(matches!(&transcript(&script).page, Load::Ready(page) if page.seat.agent == agent("codex")));
}

#[test]
fn another_size_asks_for_another_page_also_while_one_is_on_its_way() {
    let mut script = reading();
    assert_eq!(names(&script.send(Msg::Input(Input::Resized(120, 40)))), ["read page"]);
}

#[test]
fn a_key_scrolls_by_asking_for_a_page_and_searching_jumps_to_the_matches() {
    let mut script = reading();
    script.unhold().settle().key(Key::Char('f'));
    script.settle().key(Key::Char('/')).type_text("error").key(Key::Enter).settle();
    assert_eq!(transcript(&script).search.as_deref(), Some("error"));
    script.key(Key::Char('N')).settle();
    assert_eq!(transcript(&script).top, 3);
    script.key(Key::Char('N')).settle();
    assert_eq!(transcript(&script).top, 5);
    script.key(Key::Char('N')).settle();
    assert_eq!(transcript(&script).top, 3, "it goes round");
}

#[test]
fn a_transcript_is_read_again_when_it_comes_to_light() {
    let mut script = reading();
    script.unhold().settle().key(Key::Char('?'));
    let at = script.effects.len();
    script.key(Key::Esc);
    assert_eq!(names(&script.effects[at..]), ["read page"]);
}
