//! Replies that go astray: of another run, another spec, a stage or an attempt that is over, an agent that nobody
//! asked. Each is delivered on purpose beside the right one, and the walk must end as if none had come.

use super::script::{NOW, Script, agent, kind, spec};
use super::world::{Play, says};
use crate::app::effect::{CommitId, Effect, RunEffect};
use crate::app::msg::{Msg, RunMsg};
use crate::domain::failure::AgentError;
use crate::domain::ids::RunId;
use crate::domain::run::SeatKey;
use crate::domain::stage::Stage;

/// A stage that is none of the walk's.
const ELSEWHERE: Stage = Stage::Unlock;

/// The same reply as another sender would give it: each differs from the right one in one thing only.
fn astray(id: &RunId, other: Option<&RunId>, msg: &RunMsg) -> Vec<Msg> {
    let nobody = RunId::mint(NOW, 77, 77);
    let mut all = vec![Msg::Run(nobody, msg.clone())];
    // What names nothing but its run is that run's own by its address.
    let names_its_work = !matches!(
        msg,
        RunMsg::Found(_) | RunMsg::Opened(_) | RunMsg::Released(_) | RunMsg::Uprooted(_) | RunMsg::Dismissed(_)
    );
    all.extend(other.filter(|_| names_its_work).map(|other| Msg::Run(other.clone(), msg.clone())));
    let mut changed = |msg| all.push(Msg::Run(id.clone(), msg));
    match msg.clone() {
        RunMsg::Prepared(_, outcome) => changed(RunMsg::Prepared(ELSEWHERE, outcome)),
        RunMsg::Published(_, outcome) => changed(RunMsg::Published(ELSEWHERE, outcome)),
        RunMsg::Mirrored(_, outcome) => changed(RunMsg::Mirrored(ELSEWHERE, outcome)),
        RunMsg::Guarded(_, when, outcome) => changed(RunMsg::Guarded(ELSEWHERE, when, outcome)),
        RunMsg::Committed(CommitId(n), outcome) => changed(RunMsg::Committed(CommitId(n + 1_000_000), outcome)),
        RunMsg::TurnEnded(seat, kind, outcome) => {
            let wrong = [
                SeatKey { agent: agent("nobody"), ..seat.clone() },
                SeatKey { stage: ELSEWHERE, ..seat.clone() },
                SeatKey { attempt: seat.attempt + 1, ..seat.clone() },
                SeatKey { attempt: seat.attempt - 1, ..seat },
            ];
            wrong.into_iter().for_each(|seat| changed(RunMsg::TurnEnded(seat, kind, outcome.clone())));
        }
        // An answer about a stage that is over is one of those that are due. The others say no more than their run.
        RunMsg::Judged(..)
        | RunMsg::Found(_)
        | RunMsg::Opened(_)
        | RunMsg::Held(..)
        | RunMsg::CheckRan(..)
        | RunMsg::Tested(_)
        | RunMsg::Landed(_)
        | RunMsg::Cleared(_)
        | RunMsg::Adopted(_)
        | RunMsg::Dismissed(_)
        | RunMsg::Uprooted(_)
        | RunMsg::Released(_) => {}
    }
    all
}

/// Two specs at once, with an attempt that fails, one that is repaired, and one that differs from the others.
fn walk(stray: bool) -> Script {
    let mut script = Script::headless();
    script.world.lists_open = true;
    script.plays("claude", [Play::Fails(AgentError::Crashed { how: "exit 1".into() }), says("20")]);
    script.plays("codex", [Play::Babbles, says("10")]);
    script.start_of("001-login", &[Stage::Plan, Stage::Tasks], false, false);
    script.start_of("002-audit", &[Stage::Plan], false, false);
    let mut said: Vec<Msg> = Vec::new();
    for _ in 0..2_000 {
        if script.pending.is_empty() {
            // Whoever failed is asked again when its time has come.
            script.tick(60_000);
            if script.pending.is_empty() {
                return script;
            }
        }
        let effect = script.pending[0].clone();
        let msg = script.world.clone().answer(script.model.now, &effect).unwrap();
        if stray && let Msg::Run(id, reply) = &msg {
            // The run is the address: what the other one waits for as well is its own reply, not a stray one.
            let waits = |run: &RunId| {
                let same = |e: &&Effect| matches!(e, Effect::Run(of, _) if of == run) && kind(e) == kind(&effect);
                script.pending.iter().any(|e| same(&e))
            };
            let other = script.model.runs.keys().find(|run| *run != id && !waits(run)).cloned();
            for msg in astray(id, other.as_ref(), reply).into_iter().chain(said.iter().filter(is_of_a_seat).cloned()) {
                lost(&mut script, msg);
            }
            said.push(msg);
        }
        script.answer(0);
    }
    panic!("the walk never comes to rest: {:?}", script.pending);
}

/// Whether a reply that was given before can be told from the one that is due now: turns can, by their attempt.
fn is_of_a_seat(msg: &&Msg) -> bool {
    matches!(msg, Msg::Run(_, RunMsg::TurnEnded(..)))
}

/// Delivers a reply that nobody waits for: it is put aside at most.
fn lost(script: &mut Script, msg: Msg) {
    let before = script.model.runs.clone();
    let shown = format!("{msg:?}");
    let effects = script.send(msg);
    let kept = |effect: &Effect| matches!(effect, Effect::Run(_, RunEffect::KeepLate { .. }));
    assert!(effects.iter().all(kept), "{effects:?} after {shown}");
    assert_eq!(script.model.runs, before, "the model changed after {shown}");
}

#[test]
fn replies_of_other_runs_specs_stages_attempts_and_agents_change_nothing() {
    let (plain, astray) = (walk(false), walk(true));
    let verdicts = |script: &Script| -> Vec<_> {
        let runs = script.model.runs.values();
        runs.flat_map(|run| run.verdicts.iter().map(|(stage, j)| (run.spec.clone(), *stage, j.verdict.hash.clone())))
            .collect()
    };
    assert_eq!(verdicts(&plain).len(), 3, "{}", plain.story());
    assert_eq!(verdicts(&plain), verdicts(&astray));
    let journals = |script: &Script| -> Vec<_> {
        let journals = script.world.journals.values();
        journals.map(|j| (j.spec.clone(), j.records.iter().map(|(_, r)| r.clone()).collect::<Vec<_>>())).collect()
    };
    assert_eq!(journals(&plain), journals(&astray));
    assert!(plain.world.journals.values().any(|journal| journal.spec == spec("002-audit")));
    assert_eq!(plain.finished(), astray.finished());
}
