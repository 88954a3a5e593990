//! Keys, answers, failures and time in any order: what must hold at any moment is checked by the script after every
//! message, what must hold at the end is checked here.

use proptest::prelude::*;

use super::keys::all_keys;
use super::script::{Kind, Script, kind, spec};
use super::world::{Play, says};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::{Event, What};
use crate::app::keymap;
use crate::app::msg::{Choice, Msg, Request, Signal, Start};
use crate::app::update::can;
use crate::domain::failure::AgentError;
use crate::domain::ids::RunId;
use crate::domain::stage::Stage;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Press(usize),
    /// Keys that do something, more often.
    PressOften(usize),
    Answer(usize),
    Wait(u64),
    Ask(u8),
    Change(u8),
    Signal,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<usize>().prop_map(Step::Press),
        5 => any::<usize>().prop_map(Step::PressOften),
        25 => any::<usize>().prop_map(Step::Answer),
        1 => (0_u64..1_500_000).prop_map(Step::Wait),
        2 => any::<u8>().prop_map(Step::Ask),
        2 => any::<u8>().prop_map(Step::Change),
        1 => Just(Step::Signal),
    ]
}

const OFTEN: &str = "\u{1b}\n\n\n12rnvptxXuwbi[]?qqkjs";

fn is_kept_in_order(effect: &Effect) -> bool {
    matches!(kind(effect), Some(Kind::Open | Kind::Commit | Kind::Release))
}

fn take(script: &mut Script, step: &Step) {
    use crate::app::key::Key;
    match step {
        Step::Press(n) => {
            let keys = all_keys();
            script.key(keys[n % keys.len()]);
        }
        Step::PressOften(n) => {
            let key = match OFTEN.chars().nth(n % OFTEN.len()) {
                Some('\u{1b}') => Key::Esc,
                Some('\n') => Key::Enter,
                Some(c) => Key::Char(c),
                None => Key::Down,
            };
            script.key(key);
        }
        Step::Answer(n) if !script.pending.is_empty() => {
            let at = n % script.pending.len();
            // The journal's keeper takes its requests in order.
            let ordered = is_kept_in_order(&script.pending[at]);
            let first = script.pending.iter().position(is_kept_in_order).unwrap_or(at);
            script.answer(if ordered { first } else { at });
        }
        Step::Answer(_) => {}
        Step::Wait(ms) => drop(script.tick(*ms)),
        Step::Ask(n) => ask(script, *n),
        Step::Change(n) => change(script, *n),
        // Rare: it ends everything.
        Step::Signal => {
            if script.effects.len() > 60 {
                script.send(Msg::Signalled(Signal::Terminate));
            }
        }
    }
}

fn ask(script: &mut Script, n: u8) {
    let name = if n & 1 == 0 { "001-login" } else { "002-audit" };
    let start = |stages: &[Stage], fresh, rerun_missing| {
        Request::Start(Start { fresh, rerun_missing, ..Start::of(spec(name), stages.into()) })
    };
    let msg = match n / 2 % 8 {
        0 => Msg::Asked(start(&[Stage::Plan], n & 64 != 0, false)),
        1 => Msg::Asked(start(&Stage::ALL, false, false)),
        2 => Msg::Asked(start(&[Stage::Plan, Stage::Tasks], false, n & 64 != 0)),
        3 => super::decisions::decide(Choice::Waive),
        4 => super::decisions::decide(Choice::Undo),
        5 => Msg::Asked(Request::Check { spec: spec(name), stage: Stage::Plan }),
        6 => Msg::Asked(Request::Stop(None)),
        _ if n & 64 != 0 => {
            let without = Some([super::script::agent("gemini")].into());
            Msg::Asked(Request::Start(Start { without, ..Start::of(spec(name), vec![Stage::Plan]) }))
        }
        _ => Msg::Asked(start(&[Stage::Tasks], false, false)),
    };
    script.send(msg);
}

fn change(script: &mut Script, n: u8) {
    let who = ["claude", "codex", "gemini"][usize::from(n) % 3];
    let is_on = n & 128 != 0;
    let limited = || Play::Fails(AgentError::RateLimit { retry_after_ms: Some(9_000) });
    let play = match n / 3 % 11 {
        0 => Play::Hangs,
        1 => Play::Babbles,
        2 => limited(),
        3 => Play::Fails(AgentError::Crashed { how: "exit 1".into() }),
        4 => says("20"),
        n => return change_world(script, n, is_on),
    };
    script.world.plays.entry(who.to_owned()).or_default().push_back(play);
}

fn change_world(script: &mut Script, n: u8, is_on: bool) {
    let world = &mut script.world;
    match n {
        5 => world.is_full = is_on,
        6 => world.is_deaf = is_on,
        7 => world.unreadable = is_on,
        8 => world.taken = if is_on { [spec("001-login")].into() } else { [].into() },
        9 => world.memory_away = is_on.then(|| "it does not answer".to_owned()),
        _ => world.words = if is_on { "another text" } else { "the spec" }.to_owned(),
    }
}

/// Whether the end of each run was told, once each time that it was opened; of one that never began, without its id.
fn told_once(script: &Script) -> bool {
    let is_end = |event: &&&Event| matches!(event.what, What::RunFinished { .. });
    let events = script.events();
    let ended: Vec<_> = events.iter().filter(is_end).map(|event| event.run.as_ref()).collect();
    let ends = |id: Option<&RunId>| ended.iter().filter(|run| **run == id).count();
    let opened = |id: &RunId| {
        let is_open = |effect: &&Effect| matches!(effect, Effect::Run(of, RunEffect::Open { .. }) if of == id);
        script.effects.iter().filter(is_open).count()
    };
    let unnamed = script.model.runs.keys().filter(|id| ends(Some(*id)) == 0).count();
    unnamed <= ends(None) && script.model.runs.keys().all(|id| ends(Some(id)) <= opened(id))
}

proptest! {
    #[test]
    fn whatever_happens_in_whatever_order_everything_ends(steps in prop::collection::vec(step(), 1..250), headless: bool) {
        let mut script = if headless { Script::headless() } else { Script::new() };
        script.model.views.push(crate::app::model::View::Spec { spec: spec("001-login"), cursor: 0 });
        let test = crate::domain::claim::lookup::Citation::Test { check: None, id: "burst".into() };
        script.world.cited.push((super::world::open_key(), test));
        for step in &steps {
            let leave_by = script.model.leave_by;
            take(&mut script, step);
            prop_assert!(keymap::footer(&script.model).iter().all(|binding| can(&script.model, binding.action)));
            if !script.quits().is_empty() {
                // Leaving took too long: what is still held is left as after a kill.
                if leave_by.is_some_and(|by| by <= script.model.now) {
                    return Ok(());
                }
                prop_assert!(script.model.runs.values().all(|run| !run.phase.is_live() && !run.lock.is_held()));
                prop_assert!(!headless || told_once(&script), "{}", script.story());
                return Ok(());
            }
        }
        // Time stands still at no alarm, …
        for _ in 0..3 {
            if let Some(alarm) = script.model.next_alarm() {
                script.tick(alarm.since(script.model.now));
                let next = script.model.next_alarm();
                prop_assert!(next.is_none_or(|next| next > script.model.now), "{:?}", script.model);
            }
        }
        // … and what is stopped comes to rest, holding nothing.
        script.world.is_full = false;
        script.world.is_deaf = false;
        script.settle();
        let first_live = |script: &Script| script.model.live_runs().next().map(|run| run.id.clone());
        while let Some(id) = first_live(&script) {
            prop_assert!(script.model.runs[&id].stop.is_none(), "{}", script.story());
            script.send(Msg::Asked(Request::Stop(Some(id))));
            script.settle();
        }
        prop_assert!(script.model.after.is_empty() && script.world.locks.is_empty());
    }
}
