//! The screen as text: one snapshot for each phase and view at three sizes, and what holds at every size.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where a fixture cannot be made, and tells what a key took"
)]

use dicast::app::key::Key;
use dicast::app::model::{Model, View};
use dicast::app::msg::{Input, Msg};
use dicast::app::update::{rows, update};
use dicast::view::draw;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

#[path = "screens/candidates.rs"]
mod candidates;
#[path = "screens/fixtures.rs"]
mod fixtures;
#[path = "screens/ledger.rs"]
mod ledger;
#[path = "screens/parts.rs"]
mod parts;
#[path = "screens/proposal.rs"]
mod proposal;

/// The sizes that are looked at: the smallest, the usual, the comfortable.
const SIZES: [(u16, u16); 3] = [(40, 12), (80, 24), (120, 36)];

fn drawn(model: &Model, (columns, rows): (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let model = Model { size: (columns, rows), ..model.clone() };
    terminal.draw(|frame| draw(&model, frame)).unwrap();
    terminal
}

fn buffer(model: &Model, size: (u16, u16)) -> Buffer {
    drawn(model, size).backend().buffer().clone()
}

/// The rows without the quotes that the backend puts around them.
fn text(model: &Model, size: (u16, u16)) -> String {
    drawn(model, size).backend().to_string()
}

#[test]
fn every_phase_and_view_looks_as_it_was_approved() {
    for (name, model) in fixtures::all() {
        let screens: Vec<String> = SIZES.iter().map(|size| text(&model, *size)).collect();
        insta::assert_snapshot!(name, screens.join("\n"));
    }
}

/// Characters that a terminal would obey, or that make a text look like another one.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn harmful(buffer: &Buffer) -> Option<String> {
    let cell = buffer.content.iter().find(|cell| cell.symbol().chars().any(is_harmful));
    cell.map(|cell| format!("{:?}", cell.symbol()))
}

#[test]
fn foreign_text_is_shown_and_never_obeyed() {
    let shown = text(&fixtures::overfull(), (120, 36));
    assert!(shown.contains("␛[31m") && shown.contains("⟨U+202E⟩"), "{shown}");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    #[test]
    fn no_size_panics_and_no_screen_holds_a_control_character(columns in 1u16..200, rows in 1u16..60) {
        for (name, model) in models() {
            let found = harmful(&buffer(model, (columns, rows)));
            proptest::prop_assert_eq!(found, None, "{} at {}x{}", name, columns, rows);
        }
    }
}

fn models() -> &'static [(&'static str, Model)] {
    static MODELS: std::sync::OnceLock<Vec<(&'static str, Model)>> = std::sync::OnceLock::new();
    MODELS.get_or_init(fixtures::all)
}

#[test]
fn the_smallest_terminals_get_one_line_or_what_fits_of_it() {
    for size in [(1, 1), (2, 1), (1, 5), (39, 40), (200, 11)] {
        for (_, model) in models() {
            let text = text(model, size);
            assert!(size.0 < 39 || text.contains("is too small"), "{text}");
        }
    }
}

#[test]
fn drawing_twice_draws_the_same() {
    for (name, model) in models() {
        assert_eq!(buffer(model, (80, 24)), buffer(model, (80, 24)), "{name}");
    }
}

#[test]
fn stopping_is_on_screen_at_once() {
    for name in ["run_stopping", "run_killing"] {
        let (_, model) = models().iter().find(|(known, _)| *known == name).unwrap();
        for size in SIZES {
            let first = text(model, size).lines().next().unwrap_or_default().to_owned();
            assert!(first.contains("stopping …") || first.contains("killing …"), "{first}");
        }
    }
}

fn fixture(name: &str) -> &'static Model {
    &models().iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn a_verdict_that_may_still_change_is_called_forming_and_nothing_else() {
    for size in SIZES {
        let text = text(fixture("verdict_forming"), size);
        let first = text.lines().next().unwrap_or_default();
        assert!(first.contains("FORMING"), "{text}");
        assert!(["PASS", "YOUR CALL", "STOP"].iter().all(|call| !first.contains(call)), "{text}");
    }
}

#[test]
fn only_conflicts_that_are_the_users_are_counted() {
    let text = text(fixture("run_remarks"), (120, 36));
    assert!(text.contains("YOUR CALL 2") && text.contains("2 conflicts"), "{text}");
    assert!(text.contains("… 1 more, 1 of them differ (info)"), "{text}");
}

#[test]
fn what_a_human_decided_is_not_offered_again() {
    for size in SIZES {
        let text = text(fixture("verdict_settled"), size);
        assert!(text.contains("YOUR CALL 1") && text.contains("✔ D-007"), "{text}");
        assert!(!text.contains("run check") && !text.contains("settle "), "{text}");
    }
}

#[test]
fn a_decided_run_does_not_speak_of_so_far() {
    for size in SIZES {
        let text = text(fixture("run_decided"), size);
        assert!(!text.contains("so far") && !text.contains("another answer"), "{text}");
    }
}

#[test]
fn scripted_agents_and_the_demonstration_are_labelled() {
    let (_, model) = models().iter().find(|(known, _)| *known == "run_demo").unwrap();
    for size in SIZES {
        let text = text(model, size);
        assert!(text.lines().next().is_some_and(|line| line.contains("SCRIPTED")), "{text}");
    }
    // Where no first line says it of all, each of them says it.
    let mut model = model.clone();
    model.boot.demo = false;
    let text = text(&model, (80, 24));
    assert_eq!(text.lines().filter(|line| line.contains("SCRIPTED")).count(), 4, "{text}");
}

#[test]
fn a_verdict_that_passes_says_who_settled_its_conflicts_and_names_the_false_claim() {
    for size in [(80, 24), (120, 36)] {
        let text = text(fixture("verdict_settled_all"), size);
        let first = text.lines().next().unwrap_or_default();
        assert!(first.contains("PASS") && first.contains("2 conflicts settled by you, 2 dissents go on"), "{text}");
        assert!(text.contains("False codex said test limiter::burst passes: no test has this name"), "{text}");
    }
}

#[test]
fn every_claim_of_a_verdict_can_be_selected_and_is_then_on_screen() {
    let mut model = fixtures::many_agreed();
    let Some(View::Verdict { run, stage, .. }) = model.views.last().cloned() else { unreachable!() };
    for all in [false, true] {
        let keys = rows(&model.runs[&run], stage, all);
        assert!(keys.len() >= 40);
        for (cursor, key) in keys.iter().enumerate().step_by(7) {
            *model.views.last_mut().unwrap() = View::Verdict { run: run.clone(), stage, cursor, all };
            let claims = &model.runs[&run].judgement.as_ref().unwrap().verdict.claims;
            let subject = &claims.iter().find(|claim| &claim.key == key).unwrap().subject;
            for size in [(80, 24), (120, 36)] {
                let text = text(&model, size);
                let selected = text.lines().find(|line| line.contains("▸")).unwrap_or_default();
                assert!(selected.contains(subject.as_str()), "{cursor}: {subject}\n{text}");
            }
        }
    }
}

#[test]
fn a_kept_answer_shows_that_it_is_and_how_long_it_took() {
    let text = text(fixture("run_kept"), (120, 36));
    let codex = text.lines().find(|line| line.contains("codex")).unwrap_or_default();
    assert!(codex.contains("kept from before") && codex.contains("01:54") && codex.contains("12 kB"), "{text}");
}

/// Goes through the hunks of a candidate and takes them, a frame after each key; returns how long a key took in the median.
fn walked(hunks: usize) -> std::time::Duration {
    let mut model = candidates::many(hunks);
    model.size = (120, 36);
    let mut terminal = Terminal::new(TestBackend::new(120, 36)).unwrap();
    let mut took: Vec<_> = (0..60)
        .map(|n| {
            let began = std::time::Instant::now();
            let key = if n % 3 == 2 { ' ' } else { ']' };
            update(&mut model, Msg::Input(Input::Key(Key::Char(key))));
            terminal.draw(|frame| draw(&model, frame)).unwrap();
            began.elapsed()
        })
        .collect();
    took.sort();
    let Some(View::Candidates { hunk, .. }) = model.views.last() else { unreachable!() };
    assert_eq!(*hunk, 40, "every key had its effect");
    took[took.len() / 2]
}

#[test]
fn a_walk_through_ten_thousand_hunks_costs_a_key_about_what_one_through_a_thousand_does() {
    // Each is measured twice, and the better one counts: what else the machine does is not ours.
    let best = |hunks| walked(hunks).min(walked(hunks));
    let (few, many) = (best(1_000), best(10_000));
    eprintln!("a key among 1,000 hunks {few:?}, among 10,000 {many:?}");
    assert!(many < few * 5 + std::time::Duration::from_millis(10), "{few:?} among 1,000, {many:?} among 10,000");
}
