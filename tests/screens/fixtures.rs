//! One model for each phase and view, built through the domain's own constructors: what is on the snapshots can be on
//! a screen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dicast::app::command;
use dicast::app::line::Line;
use dicast::app::model::{
    Conflict, GateDialog, Gating, Load, Model, Notice, Overlay, Permission, Phase, Run, Saying, Seat, SeatState, Stop,
    Transcript, View,
};
use dicast::app::msg::Start;
use dicast::app::update::{open_claims, rows, sides};
use dicast::domain::absent;
use dicast::domain::acp::Request;
use dicast::domain::budget::Price;
use dicast::domain::check::{FileText, Tree};
use dicast::domain::claim::{Kind, Polarity, Severity, Tier};
use dicast::domain::consensus::{Answer, Choice, Waiver, digest};
use dicast::domain::failure::{AgentError, Failure, LockOwner};
use dicast::domain::gate::{Checkpoint, Gate, Held, Matter, hold_in};
use dicast::domain::guardrail::{Ran, Report, When};
use dicast::domain::hash::Sha;
use dicast::domain::ids::SpecId;
use dicast::domain::judgement::{Judgement, Round};
use dicast::domain::machine::{Access, Machine, Sight};
use dicast::domain::moment::Moment;
use dicast::domain::overview::Overview;
use dicast::domain::round::{Asking, Ballot, changes, open};
use dicast::domain::run::{SeatKey, TurnKind};
use dicast::domain::safe::Safe;
use dicast::domain::server;
use dicast::domain::settings::{Offer, Server, Transport, Trust, TrustItem, TrustSource};
use dicast::domain::stage::Stage;
use dicast::domain::stream::Usage;
use dicast::domain::transcript::{Page, Row};
use serde_json::json;

use crate::parts::*;

pub(crate) fn with_run(model: Model, run: Run) -> Model {
    let view = View::Dashboard { run: run.id.clone(), cursor: 0, pane: 1, scroll: 0 };
    Model { runs: [(run.id.clone(), run)].into(), views: vec![View::Home { cursor: 0 }, view], ..model }
}

fn asking_seats() -> Vec<Seat> {
    let mut claude = seat("claude", "anthropic", SeatState::Asking(TurnKind::Draft));
    claude.progress = Some(progress(
        "claude",
        "reading src/limiter.rs, 3rd tool call",
        18_204,
        &[
            "I want to see how requests reach the limiter before proposing where the burst allowance belongs.",
            "▸ Read src/limiter.rs (118 lines)",
            "▸ Grep \"allow(\" in src/ (4 matches)",
            "`allow()` takes the clock as an argument, so a token bucket can be tested without sleeping. Two call sites ignore the returned delay (src/http.rs:72, src/ws.rs:31): a refused websocket frame would be retried at once.",
            "▸ Read src/ws.rs (lines 20–60)",
        ],
    ));
    let mut codex = seat("codex", "openai", SeatState::Answered);
    (codex.took_ms, codex.answer) = (Some(114_000), Some(answer("{}")));
    codex.progress = Some(progress("codex", "done", 12_100, &["done"]));
    let mut gemini = seat("gemini", "google", SeatState::Answered);
    (gemini.took_ms, gemini.answer) = (Some(72_000), Some(answer("{}")));
    gemini.progress = Some(progress("gemini", "done", 940, &["done"]));
    let until = NOW.plus_ms(4_000);
    let mut qwen =
        seat("qwen", "qwen", SeatState::Waiting { until, why: AgentError::RateLimit { retry_after_ms: Some(4_000) } });
    qwen.since = Some(Moment(NOW.0 - 31_000));
    vec![claude, codex, gemini, qwen]
}

fn servers(model: Model) -> Model {
    let status = |name: &str, state, last_line: Option<&str>, latency_us| server::Status {
        name: name.into(),
        state,
        since: Moment(NOW.0 - 5_200),
        identity: Some(format!("{name}-server 1.4.0").as_str().into()),
        protocol: Some("2025-06-18".into()),
        tools: vec!["remember".into(), "recall".into(), "search".into()],
        calls: 41,
        retries: 2,
        running: if name == "github" {
            vec![server::Running { tool: "list_issues".into(), since: Moment(NOW.0 - 2_100) }]
        } else {
            Vec::new()
        },
        progress: (name == "github").then(|| Safe::line("3 of 10: page 3")),
        latency_us,
        restarts: 1,
        last_line: last_line.map(Safe::line),
        tail: last_line.iter().flat_map(|last| [Safe::line("starting up"), Safe::line(last)]).collect(),
    };
    let list = [
        status("memory", server::State::Starting, Some("loading index"), None),
        status("github", server::State::Ready, None, Some((1_240, 12_000))),
        status(
            "search",
            server::State::Lost { attempt: 1, retry_at: NOW.plus_ms(3_000), why: "exit 1".into() },
            Some("panic"),
            None,
        ),
        status("tickets", server::State::Dead { why: "command not found".into() }, None, None),
    ];
    Model { servers: list.into_iter().map(|s| (s.name.clone(), s)).collect(), key_us: Some(912), ..model }
}

/// A server of another program, offered and not approved.
fn offered(model: Model) -> Model {
    let mut settings = (*model.settings).clone();
    let transport = Transport::Stdio { command: "npx".into(), args: vec![], env: BTreeMap::new(), cwd: None };
    settings.offers.push(Offer {
        name: "files".into(),
        from: "~/.claude.json".into(),
        hash: Sha::of("files"),
        is_approved: false,
        item: TrustItem {
            what: Safe::line("MCP server files"),
            argv: vec![Safe::line("npx")],
            env: BTreeMap::new(),
            env_pass: vec![],
            source: TrustSource::Config,
        },
        server: Server { transport, startup_timeout_ms: 15_000, tool_timeout_ms: 5_000 },
    });
    Model { settings: Arc::new(settings), ..model }
}

fn asking() -> Model {
    let mut run = run(Phase::Asking, asking_seats());
    let mut panel = panel();
    panel.agents[0].status = Answer::Missing;
    panel.agents[0].claims.clear();
    run.judgement = Some(Arc::new(judged(panel)));
    run.judging = 1;
    with_run(servers(started()), run)
}

/// A run of another process, followed from its journal.
fn foreign() -> Model {
    let owner = LockOwner { pid: 4711, host: "build-1".into(), since: Moment(NOW.0 - 60_000) };
    let mut run = run(Phase::Foreign(owner), asking_seats());
    (run.options.followed, run.preparation) = (true, None);
    with_run(servers(started()), run)
}

/// One participant answers through memory, which loses what it acknowledges; copies wait for it.
fn elsewhere() -> Model {
    let mut seats = asking_seats();
    seats[0].who.external = true;
    seats[0].progress = None;
    let mut model = with_run(started(), run(Phase::Asking, seats));
    model.memory.waiting = 3;
    model.memory.trouble = Some(Safe::line("it acknowledged a copy and does not have it"));
    model
}

fn decided() -> Model {
    decided_on(judged(panel()))
}

pub(crate) fn decided_on(judgement: Judgement) -> Model {
    let mut seats = asking_seats();
    seats[0].state = SeatState::Answered;
    (seats[0].took_ms, seats[0].answer) = (Some(161_000), Some(answer("{}")));
    seats[3].state = SeatState::Failed(AgentError::RateLimit { retry_after_ms: None });
    let mut run = run(Phase::Decided, seats);
    let judgement = Arc::new(judgement);
    run.verdicts.insert(Stage::Plan, judgement.clone());
    run.judgement = Some(judgement);
    with_run(Model { key_us: Some(870), ..started() }, run)
}

/// An audit of commits that were made elsewhere.
fn audit() -> Model {
    let mut run = run(Phase::Asking, asking_seats());
    run.stage = Stage::Audit;
    run.range = Some("4f2c1d9aa0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5..b4e8a1770a1b2c3d4e5f60718293a4b5c6d7e8f9".into());
    with_run(started(), run)
}

/// The list before a run, in which somebody is left out.
fn roster(stages: &[Stage], without: &[&str]) -> Model {
    let start = Start::of(spec_id(SPEC), stages.into());
    let without = without.iter().map(|agent| name(agent)).collect();
    Model { overlay: Some(Overlay::Roster { start, without, cursor: 2 }), ..home() }
}

/// A verdict that another process recorded: what the host found of all that was cited together is known, not of each.
fn followed_verdict() -> Model {
    let mut judgement = judged(panel());
    for ground in &mut judgement.grounds {
        ground.tier = Some(Tier::E2);
        ground.cited.iter_mut().for_each(|(_, found)| *found = None);
    }
    let mut model = decided_on(judgement);
    model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor: 0, all: false });
    model
}

/// A decided stage from whose run qwen was left out.
fn left_out() -> Model {
    let mut panel = panel();
    panel.agents.retain(|agent| agent.name != name("qwen"));
    panel.inputs.context.extend(absent::as_context(&["qwen (qwen)".to_owned()]));
    let mut model = decided_on(judged(panel));
    let run = model.runs.get_mut(&run_id()).unwrap();
    run.seats.truncate(3);
    run.without = Some([name("qwen")].into());
    model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor: 0, all: false });
    model
}

/// What stands open between the drafts.
fn ballot() -> Arc<Ballot> {
    let (voices, spec) = (BTreeMap::new(), preparation());
    let (requirements, agenda) = (&spec.spec.requirements[..], &spec.agenda[..]);
    Arc::new(open(&panel(), &Asking { seed: "screens", voices: &voices, requirements, agenda }).unwrap())
}

/// The panel is asked what stands open: one has voted, one is at it, one has not begun.
fn voting() -> Model {
    let mut seats = asking_seats();
    seats.truncate(3);
    seats[0].answer = Some(answer("{}"));
    seats[0].state = SeatState::Asking(TurnKind::Round);
    seats[0].progress = None;
    seats[0].since = Some(Moment(NOW.0 - 6_000));
    seats[2].state = SeatState::Launching(TurnKind::Round);
    let mut run = run(Phase::Asking, seats);
    run.judgement = Some(Arc::new(judged(panel())));
    let round = Round {
        ballot: ballot(),
        asked: ["claude", "codex", "gemini"].into_iter().map(name).collect(),
        answers: [(name("codex"), answer("{}"))].into(),
        silent: BTreeSet::new(),
        closed: false,
    };
    run.rounds.insert(Stage::Plan, round);
    with_run(started(), run)
}

/// A verdict after a round.
fn after_round() -> Model {
    let mut model = verdict(0);
    let before = judged(panel());
    let changes = changes(&ballot(), &before.verdict, &before.verdict, (2, 3));
    let judgement = Arc::new(Judgement { round: Some(changes), ..before });
    let run = model.runs.get_mut(&run_id()).unwrap();
    run.judgement = Some(judgement.clone());
    run.verdicts.insert(Stage::Plan, judgement);
    model
}

fn verdict(cursor: usize) -> Model {
    let mut model = decided();
    model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor, all: false });
    model
}

fn passed() -> Model {
    let mut model = verdict(0);
    let mut panel = panel();
    panel.agents.truncate(2);
    let agreed = |tier| ["FR-001", "FR-002", "FR-003", "FR-004", "FR-006"].iter().map(|id| covers(id, tier)).collect();
    panel.agents[0].claims = agreed(Tier::E2);
    panel.agents[1].claims = agreed(Tier::E3True);
    let judgement = Judgement { phantoms: Vec::new(), grounds: Vec::new(), ..judged(panel) };
    let run = model.runs.get_mut(&run_id()).unwrap();
    run.seats.truncate(2);
    run.judgement = Some(Arc::new(judgement));
    run.verdicts.insert(Stage::Plan, run.judgement.clone().unwrap());
    model
}

/// A verdict in which a human chose a side of one conflict.
fn settled() -> Model {
    let mut model = verdict(0);
    let mut panel = panel();
    let store = panel.canon().key(Kind::Decision, "D-007", "answer");
    let side = sides(model.runs[&run_id()].judgement.as_ref().unwrap(), &store).remove(0);
    panel.waivers.push(Waiver {
        digest: digest(&panel, &store),
        claim: store.clone(),
        by: "ana".into(),
        reason: "two nodes is a MUST".into(),
        choice: Some(Choice { value: side.value, polarity: side.polarity }),
    });
    let judgement = Arc::new(judged(panel));
    let run = model.runs.get_mut(&run_id()).unwrap();
    run.judgement = Some(judgement.clone());
    run.verdicts.insert(Stage::Plan, judgement);
    let at = rows(run, run.stage, false).iter().position(|key| key == &store).unwrap();
    model.views.pop();
    model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor: at, all: false });
    model
}

/// A verdict that passes because a human settled every conflict; one agent said something that is not so.
pub(crate) fn settled_all() -> Model {
    let mut model = verdict(0);
    let mut panel = panel();
    panel.agents.truncate(3);
    panel.requirements.retain(|requirement| requirement.id != "FR-006");
    let open = open_claims(&model.runs[&run_id()]);
    for claim in open {
        let side = sides(model.runs[&run_id()].judgement.as_ref().unwrap(), &claim).remove(0);
        panel.waivers.push(Waiver {
            digest: digest(&panel, &claim),
            claim,
            by: model.boot.user.clone(),
            reason: "measured".into(),
            choice: Some(Choice { value: side.value, polarity: side.polarity }),
        });
    }
    let judgement = Arc::new(judged(panel));
    let run = model.runs.get_mut(&run_id()).unwrap();
    run.seats.truncate(3);
    run.judgement = Some(judgement.clone());
    run.verdicts.insert(Stage::Plan, judgement);
    model
}

/// More agreed claims than any screen shows at once.
pub(crate) fn many_agreed() -> Model {
    let mut model = verdict(0);
    let mut panel = panel();
    for agent in panel.agents.iter_mut().take(3) {
        agent.claims = (100..140).map(|n| covers(&format!("FR-{n}"), Tier::E2)).collect();
    }
    let judgement = Arc::new(judged(panel));
    let run = model.runs.get_mut(&run_id()).unwrap();
    run.judgement = Some(judgement.clone());
    run.verdicts.insert(Stage::Plan, judgement);
    model
}

/// Agents that are paid in different ways, and what they used so far.
fn spending() -> Model {
    let mut model = asking();
    let mut settings = (*model.settings).clone();
    settings.prices.insert("opus-5".into(), Price { input_micro_usd: 15_000_000, output_micro_usd: 75_000_000 });
    model.settings = Arc::new(settings);
    model.boot.on_plan.insert(name("codex"));
    let run = model.runs.get_mut(&run_id()).unwrap();
    let used = |input_tokens, output_tokens, cost_micro_usd| Usage {
        input_tokens,
        output_tokens,
        cost_micro_usd,
        ..Usage::default()
    };
    run.spend(Stage::Plan, &name("claude"), used(17_000, 1_200, Some(345_000)));
    run.spend(Stage::Plan, &name("codex"), used(12_000, 100, None));
    run.spend(Stage::Plan, &name("gemini"), used(9_000, 400, None));
    model
}

/// A run that was gone on with: two answers are kept from before, one agent is asked again.
fn kept() -> Model {
    let mut model = asking();
    let run = model.runs.get_mut(&run_id()).unwrap();
    for seat in run.seats.iter_mut().filter(|seat| seat.state == SeatState::Answered) {
        (seat.since, seat.progress, seat.wrote) = (None, None, Some(12_100));
    }
    model
}

/// A run whose agents differ on remarks too, which nobody has to settle.
fn remarks() -> Model {
    let mut model = decided();
    let mut panel = panel();
    for (at, agent) in panel.agents.iter_mut().enumerate().take(2) {
        let value = if at == 0 { "tabs" } else { "spaces" };
        let remark = said(Kind::Decision, "indent", "answer", value, Polarity::Yes, Severity::Info, Tier::E0);
        agent.claims.push(remark);
    }
    let judgement = Arc::new(judged(panel));
    let run = model.runs.get_mut(&run_id()).unwrap();
    run.judgement = Some(judgement.clone());
    run.verdicts.insert(Stage::Plan, judgement);
    model
}

/// What the answers so far would come to.
fn forming() -> Model {
    let mut model = asking();
    model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor: 0, all: false });
    model
}

/// A claim that the host found false.
fn struck() -> Model {
    let mut model = verdict(0);
    let run = &model.runs[&run_id()];
    let judgement = run.judgement.as_ref().unwrap();
    let is_struck = |key: &Sha| judgement.verdict.claims.iter().any(|c| &c.key == key && c.subject == "limiter::burst");
    let at = rows(run, run.stage, true).iter().position(is_struck).unwrap();
    model.views.pop();
    model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor: at, all: true });
    model
}

fn conflict(side: Option<usize>, reason: &str, is_typing: bool) -> Model {
    let mut model = decided();
    let run = &model.runs[&run_id()];
    let open = open_claims(run);
    let judgement = run.judgement.as_ref().unwrap();
    let store = judgement.panel.canon().key(Kind::Decision, "D-007", "answer");
    assert!(open.contains(&store));
    let sides = sides(judgement, &store);
    model.views.push(View::Conflict(Conflict {
        run: run_id(),
        stage: Stage::Plan,
        claim: store,
        sides,
        side,
        citation: 0,
        reason: Line::new(reason),
        typing: is_typing,
        wanted: None,
        checking: None,
    }));
    model
}

fn checking() -> Model {
    let mut model = conflict(None, "", false);
    if let Some(View::Conflict(conflict)) = model.views.last_mut() {
        conflict.checking = Some(Moment(NOW.0 - 7_000));
    }
    model
}

/// Thousands of claims of many agents, with texts of every kind.
pub(crate) fn overfull() -> Model {
    let mut panel = panel();
    for (at, agent) in panel.agents.iter_mut().enumerate().take(3) {
        let more = (0..1_200).map(|n| {
            let subject = format!("{n} 日本語 👩\u{200d}🔬 \u{1b}[31m\u{202e}evil\u{7} and e\u{301}");
            said(
                Kind::Risk,
                &subject,
                "threatens",
                if at == 0 { "yes" } else { "no way" },
                Polarity::Yes,
                Severity::Minor,
                Tier::E0,
            )
        });
        agent.claims.extend(more);
    }
    let mut seats = asking_seats();
    for n in 0..40 {
        seats.push(seat(&format!("agent-with-a-long-name-{n}"), "acme", SeatState::Queued(TurnKind::Draft)));
    }
    let mut run = run(Phase::Asking, seats);
    run.judgement = Some(Arc::new(judged(panel)));
    let mut model = with_run(servers(started()), run);
    model.survey = Load::Ready(overview(300));
    model.boot.repo = "日本 \u{1b}[31m\u{202e}evil\u{7}".into();
    model
}

fn transcript(page: Load<Arc<Page>>, search: Option<&str>) -> Model {
    let mut model = asking();
    let seat = SeatKey { run: run_id(), stage: Stage::Plan, attempt: 1, agent: name("claude") };
    model.views.push(View::Transcript(Transcript {
        seat,
        page,
        follow: search.is_none(),
        top: 120,
        search: search.map(str::to_owned),
        reading: false,
    }));
    model
}

fn page(rows: usize) -> Arc<Page> {
    let texts = [
        "I want to see how requests reach the limiter.",
        "▸ Read src/limiter.rs (118 lines)",
        "",
        "`allow()` takes the clock as an argument",
        "日本語 and 👩\u{200d}🔬 and e\u{301}",
    ];
    let seat = SeatKey { run: run_id(), stage: Stage::Plan, attempt: 1, agent: name("claude") };
    let row = |n: usize| Row { line: 120 + n as u64, is_continued: false, text: Safe::line(texts[n % texts.len()]) };
    let matches: Vec<u64> = (0..rows).filter(|n| n % 5 == 3).map(|n| 120 + n as u64).collect();
    Arc::new(Page {
        seat,
        rows: (0..rows).map(row).collect(),
        first: 120,
        total: 120 + rows as u64,
        at_end: true,
        match_count: matches.len() as u64,
        matches,
    })
}

fn typed(text: &str, error: Option<&str>) -> Model {
    let mut model = home();
    let specs: Vec<SpecId> = model.survey.ready().unwrap().specs.iter().map(|s| s.spec.id.clone()).collect();
    let completions = command::complete(text, &specs);
    model.overlay = Some(Overlay::Command {
        line: Line::new(text),
        chosen: (completions.len() > 1).then_some(1),
        completions,
        error: error.map(Safe::line),
        recalled: None,
    });
    model
}

fn home() -> Model {
    Model {
        survey: Load::Ready(overview(3)),
        typical: BTreeMap::from([(Stage::Plan, 252_000), (Stage::Tasks, 138_000)]),
        trust: trust(),
        views: vec![View::Home { cursor: 2 }],
        key_us: Some(912),
        ..started()
    }
}

fn stopping(is_killed: bool) -> Model {
    let mut model = asking();
    let run = model.runs.get_mut(&run_id()).unwrap();
    run.phase = Phase::Stopping;
    run.stop = Some(Stop { by: "Esc".into(), since: Moment(NOW.0 - 1_200), killed: is_killed, exit: 130 });
    model
}

fn demo() -> Model {
    let mut model = asking();
    model.boot.demo = true;
    for seat in &mut model.runs.get_mut(&run_id()).unwrap().seats {
        seat.who.scripted = true;
    }
    model
}

fn failed() -> Model {
    let owner = LockOwner { pid: 4711, host: "build-2".into(), since: START };
    with_run(
        started(),
        run(Phase::Failed(Failure::LockHeld { what: "spec 003-rate-limiter".into(), owner }), asking_seats()),
    )
}

/// A fixture with its name.
pub(crate) type Fixture = (&'static str, Model);

pub(crate) fn unreadable() -> Failure {
    Failure::needs_input("specs/", "it cannot be read", "make it readable")
}

fn view(view: View, model: Model) -> Model {
    Model { views: vec![View::Home { cursor: 0 }, view], ..model }
}

/// Every fixture by name.
pub(crate) fn all() -> Vec<Fixture> {
    let pages = [crate::ledger::all(), crate::candidates::all(), crate::proposal::all()].concat();
    [repository(), machines(), runs(), transcripts(), verdicts(), checkpoints(), pages, permissions(), besides()]
        .concat()
}

/// An agent that asks for something, with what it offers.
fn permission(number: u64, agent: &str, call: serde_json::Value, waited: u64) -> Permission {
    let seat = SeatKey { run: run_id(), stage: Stage::Plan, attempt: 1, agent: name(agent) };
    let params = json!({"toolCall": call, "options": [
        {"optionId": "once", "kind": "allow_once", "name": "Allow once"},
        {"optionId": "always", "kind": "allow_always", "name": "Always allow `cargo`"},
        {"optionId": "no", "kind": "reject_once", "name": "Reject"}]});
    let since = Moment(NOW.0 - waited);
    Permission { request: Request::of(seat, number, &params, None), since, until: Moment(since.0 + 120_000) }
}

/// The permission queue: empty, one, many, one that is too long to be shown whole; and a run whose agents ask.
fn permissions() -> Vec<Fixture> {
    let command = json!({"title": "cargo tree -i serde", "kind": "execute",
        "rawInput": {"command": "cargo tree -i serde \u{1b}[2J\u{202e}| tee out.txt", "cwd": "/repo/payments-api"}});
    let change = json!({"title": "src/limiter.rs", "kind": "edit", "content": [
        {"type": "diff", "path": "src/limiter.rs", "oldText": "one\ntwo\nthree\n", "newText": "one\n2\nthree\n"}]});
    let fetch =
        json!({"title": "https://docs.rs/governor", "kind": "fetch", "rawInput": {"url": "https://docs.rs/governor"}});
    let long: String = (0..900).map(|n| format!("echo {n}\n")).collect();
    let long = json!({"title": "a long script", "kind": "execute", "rawInput": {"command": long}});
    let queue = |permissions: Vec<Permission>, cursor: usize| {
        let model = asking();
        let views = [model.views.clone(), vec![View::Permissions { cursor, scroll: 0 }]].concat();
        Model { permissions, views, ..model }
    };
    let one = || permission(1, "gemini", command.clone(), 18_000);
    let many = || {
        let more = (4..12).map(|n| permission(n, "codex", command.clone(), 1_000));
        let first =
            [one(), permission(2, "claude", change.clone(), 9_000), permission(3, "qwen", fetch.clone(), 4_000)];
        first.into_iter().chain(more).collect()
    };
    vec![
        ("permissions_empty", queue(Vec::new(), 0)),
        ("permissions_one", queue(vec![one()], 0)),
        ("permissions_many", queue(many(), 1)),
        ("permissions_long", queue(vec![permission(1, "gemini", long, 18_000)], 0)),
        ("run_permission", Model { permissions: vec![permission(1, "claude", command.clone(), 18_000)], ..asking() }),
    ]
}

/// The first screen where nobody is configured, with what stands on the machine.
fn first(machine: Machine) -> Model {
    Model { settings: Arc::default(), trust: Trust::Unneeded, machine, ..home() }
}

/// The states of what is found on the machine: asked, some, one voice, none, more than fits.
fn machines() -> Vec<Fixture> {
    let signed_in = || Access::SignedIn("~/.claude/.credentials.json".into());
    let not_yet = || Access::NoSign("run `codex login`".into());
    let version = |text: &str| Sight::Seen(Safe::line(text));
    let looking = || [Sight::Looking, Sight::Looking, Sight::Looking, Sight::Looking];
    let nobody = || [silent(), silent(), silent(), silent()];
    let models: Vec<Safe> = ["qwen3:8b", "llama3.3:70b", "gemma3"].map(Safe::line).into();
    let two = |codex| vec![("claude", signed_in(), version("2.1.330")), ("codex", not_yet(), codex)];
    let late = Sight::Unseen(Safe::line("no answer in 5 s"));
    let many: Vec<(&str, Access, Sight<Safe>)> = ["claude", "codex", "gemini", "opencode", "qwen", "crush", "goose"]
        .map(|name| (name, not_yet(), version("1.2.3-a-long-version\u{1b}[31m")))
        .into();
    let long = || Sight::Seen(vec![Safe::line(&"日本語-model-".repeat(8)); 50]);
    let all = [long(), long(), long(), long()];
    vec![
        ("first_asking", first(machine(&two(Sight::Looking), &[], looking()))),
        ("first_some", first(machine(&two(late), &["codex-acp"], [silent(), Sight::Seen(models), silent(), silent()]))),
        ("first_one", first(machine(&two(Sight::Looking)[..1], &[], nobody()))),
        ("first_none", first(machine(&[], &[], nobody()))),
        ("first_overfull", first(machine(&many, &["claude-agent-acp", "codex-acp"], all))),
    ]
}

fn repository() -> Vec<Fixture> {
    vec![
        ("home", home()),
        ("home_waiting", Model { settings: Arc::default(), ..home() }),
        ("home_demo", {
            let mut model = decided();
            (model.boot.demo, model.survey) = (true, Load::Ready(overview(3)));
            model.views = vec![View::Home { cursor: 4 }];
            model
        }),
        ("home_loading", started()),
        ("home_failed", Model { survey: Load::Failed(unreadable()), ..started() }),
        (
            "home_empty",
            Model {
                survey: Load::Ready(Arc::new(Overview {
                    specs: Vec::new(),
                    context: Vec::new(),
                    hooks: Vec::new(),
                    checks: BTreeMap::new(),
                    report: Arc::default(),
                    ..Overview::clone(&overview(3))
                })),
                settings: Arc::default(),
                ..started()
            },
        ),
        (
            "home_overfull",
            Model { survey: Load::Ready(overview(300)), views: vec![View::Home { cursor: 150 }], ..started() },
        ),
        ("home_running", Model { survey: Load::Ready(overview(3)), views: vec![View::Home { cursor: 0 }], ..asking() }),
        ("spec", view(View::Spec { spec: spec_id(SPEC), cursor: 1 }, home())),
        ("spec_loading", view(View::Spec { spec: spec_id(SPEC), cursor: 1 }, started())),
        ("spec_gone", view(View::Spec { spec: spec_id("009-gone"), cursor: 1 }, home())),
    ]
}

fn runs() -> Vec<Fixture> {
    vec![
        ("run_opening", with_run(started(), Run { preparation: None, ..run(Phase::Opening, Vec::new()) })),
        ("run_preparing", with_run(started(), Run { preparation: None, ..run(Phase::Preparing, Vec::new()) })),
        ("run_asking", asking()),
        ("run_asking_first", {
            let seats = asking_seats().into_iter().map(|s| Seat {
                state: SeatState::Launching(TurnKind::Draft),
                progress: None,
                answer: None,
                took_ms: None,
                ..s
            });
            with_run(started(), run(Phase::Asking, seats.collect()))
        }),
        ("run_voting", voting()),
        ("run_judging", {
            let mut model = decided();
            model.runs.get_mut(&run_id()).unwrap().phase = Phase::Judging;
            model
        }),
        ("run_stopping", stopping(false)),
        ("run_killing", stopping(true)),
        ("run_stopped", {
            let mut model = stopping(false);
            model.runs.get_mut(&run_id()).unwrap().phase = Phase::Stopped;
            model
        }),
        ("run_survivors", {
            let mut model = stopping(false);
            let run = model.runs.get_mut(&run_id()).unwrap();
            (run.phase, run.survivors) = (Phase::Stopped, 2);
            model
        }),
        ("run_decided", decided()),
        ("run_remarks", remarks()),
        ("run_failed", failed()),
        ("run_demo", demo()),
        ("run_overfull", overfull()),
        ("run_foreign", foreign()),
        ("run_elsewhere", elsewhere()),
        ("run_gone", view(View::Dashboard { run: run_id(), cursor: 0, pane: 1, scroll: 0 }, started())),
    ]
}

fn transcripts() -> Vec<Fixture> {
    vec![
        ("transcript", transcript(Load::Ready(page(200)), None)),
        ("transcript_search", transcript(Load::Ready(page(200)), Some("clock"))),
        ("transcript_loading", transcript(Load::Loading(Moment(NOW.0 - 3_000)), None)),
        ("transcript_empty", transcript(Load::Ready(page(0)), None)),
        ("transcript_failed", transcript(Load::Failed(unreadable()), None)),
    ]
}

fn verdicts() -> Vec<Fixture> {
    vec![
        ("verdict", verdict(0)),
        ("verdict_forming", forming()),
        ("verdict_settled", settled()),
        ("verdict_settled_all", settled_all()),
        ("verdict_after_round", after_round()),
        ("run_kept", kept()),
        ("run_spending", spending()),
        ("verdict_struck", struck()),
        ("verdict_passed", passed()),
        ("verdict_left_out", left_out()),
        ("verdict_followed", followed_verdict()),
        ("run_left_out", Model { views: vec![View::Home { cursor: 0 }, left_out().views[1].clone()], ..left_out() }),
        ("verdict_none", {
            let mut model = with_run(started(), run(Phase::Asking, asking_seats()));
            model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor: 0, all: false });
            model
        }),
        ("verdict_overfull", {
            let mut model = overfull();
            model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor: 900, all: true });
            model
        }),
        ("conflict", conflict(None, "", false)),
        ("conflict_chosen", conflict(Some(0), "two nodes is a MUST; we already run Redis", true)),
        ("conflict_checking", checking()),
    ]
}

/// A spec that leaves things open, and words that would do harm if they were obeyed.
const OPEN: &str = "# Feature Specification: Rate limiter\n\n## Requirements\n\n\
    - **FR-001**: System MUST refuse more than [NEEDS CLARIFICATION: how many requests per second?] per API key\n\
    - **FR-002**: System MUST keep counters in memory or Redis\n\
    - **FR-003**: System MUST be scalable\n\
    - **FR-004**: Entries MUST keep 10 keys\n- **FR-004**: Entries MUST keep 20 keys\n";

/// What all gates ask of it.
fn asked() -> Held {
    let files = [("specs/003-rate-limiter/spec.md".to_owned(), FileText::text(OPEN))].into();
    hold_in(&Tree { files, ..Tree::default() }, &spec_id(SPEC), &Gate::ALL.into(), &[]).unwrap()
}

/// The gate dialog of a run that waits.
fn gate(change: impl FnOnce(&mut GateDialog)) -> Model {
    let gating = Gating { at: Checkpoint::BeforePlan, side: When::Before };
    let run = run(Phase::Waiting { gating, since: Moment(NOW.0 - 65_000) }, Vec::new());
    let mut dialog = GateDialog {
        spec: spec_id(SPEC),
        gates: Gate::ALL.into(),
        run: Some(run.id.clone()),
        cursor: 0,
        choice: None,
        words: Line::default(),
        saying: None,
        busy: false,
    };
    change(&mut dialog);
    let mut model = with_run(started(), run);
    model.gates.insert(spec_id(SPEC), Arc::new(asked()));
    model.views.push(View::Gate(dialog));
    model
}

/// Gates and guardrails: the dialog in each of its states, a run that waits for it, one that a guardrail stopped.
fn checkpoints() -> Vec<Fixture> {
    let at = |matter: Matter| {
        let held = asked();
        held.open().position(|issue| issue.matter == matter).unwrap_or_default()
    };
    let mut waiting = gate(|_| ());
    waiting.views.pop();
    let mut none = gate(|dialog| dialog.run = None);
    none.gates.clear();
    let mut loading = gate(|dialog| dialog.busy = true);
    loading.gates.clear();
    vec![
        ("gate", gate(|_| ())),
        (
            "gate_typing",
            gate(|dialog| {
                dialog.cursor = at(Matter::OpenMarker);
                dialog.words = Line::new("20");
                dialog.saying = Some(Saying::Answer);
            }),
        ),
        (
            "gate_chosen",
            gate(|dialog| {
                dialog.cursor = at(Matter::OpenChoice);
                dialog.choice = Some(1);
            }),
        ),
        ("gate_writing", gate(|dialog| dialog.busy = true)),
        ("gate_loading", loading),
        ("gate_none", none),
        ("waiting", waiting),
        ("guardrail", guardrail()),
    ]
}

/// A run that a guardrail stopped.
fn guardrail() -> Model {
    let ran = Ran {
        argv: vec!["cargo".into(), "test".into()],
        passed: false,
        exit: Some(101),
        ended: None,
        took_ms: 4_200,
        lines: [
            "test limiter::burst ... FAILED",
            "assertion `left == right` failed",
            "test result: FAILED. 17 passed; 1 failed",
        ]
        .map(Safe::line)
        .into(),
        output_sha256: Sha::of("x"),
        log: Some("commands/003-rate-limiter/validate-before-1.log".into()),
    };
    let report = Report {
        spec: spec_id(SPEC),
        stage: Stage::Plan,
        when: When::Before,
        dirty: Vec::new(),
        ran: vec![ran],
        survivors: 0,
    };
    let failure = report.failure().unwrap();
    let mut run = run(Phase::Failed(failure), Vec::new());
    run.guard = Some(Arc::new(report));
    with_run(started(), run)
}

/// Views beside runs, and what lies over views.
fn besides() -> Vec<Fixture> {
    vec![
        ("servers", view(View::Servers { cursor: 0 }, offered(servers(started())))),
        ("servers_memory", {
            let mut model = servers(started());
            model.memory = elsewhere().memory;
            let mut settings = (*model.settings).clone();
            settings.memory = dicast::domain::settings::MemoryServer::Declared("memory".into());
            view(View::Servers { cursor: 1 }, Model { settings: Arc::new(settings), ..model })
        }),
        ("servers_none", view(View::Servers { cursor: 0 }, started())),
        ("trust", view(View::Trust { scroll: 0 }, home())),
        ("trust_offers", view(View::Trust { scroll: 0 }, offered(home()))),
        (
            "trust_offer",
            Model { overlay: Some(Overlay::Offer("files".into())), ..view(View::Trust { scroll: 0 }, offered(home())) },
        ),
        ("trust_none", view(View::Trust { scroll: 0 }, started())),
        ("help", view(View::Help { scroll: 0 }, started())),
        ("help_end", view(View::Help { scroll: 46 }, started())),
        ("command", typed("p", None)),
        ("command_palette", typed("", None)),
        ("command_error", typed("plna 003", Some("command \"plna\": there is no such command · did you mean plan?"))),
        (
            "search",
            Model { overlay: Some(Overlay::Search(Line::new("retry"))), ..transcript(Load::Ready(page(200)), None) },
        ),
        (
            "preflight",
            Model { overlay: Some(Overlay::Preflight(Start::of(spec_id(SPEC), vec![Stage::Plan]))), ..home() },
        ),
        ("run_audit", audit()),
        ("roster", roster(&[Stage::Plan], &["gemini"])),
        ("roster_alone", roster(&[Stage::Plan, Stage::Audit], &["claude", "gemini", "qwen"])),
        (
            "notice_long",
            Model {
                notice: Some(Notice {
                    text: Safe::line(
                        ".dicast/config.toml: it would run or reach 2 things and was not approved · look at them with `dicast trust list`, then run `dicast trust approve`",
                    ),
                    bad: true,
                    until: NOW.plus_ms(2_000),
                }),
                ..home()
            },
        ),
        (
            "notice_bad",
            Model {
                notice: Some(Notice {
                    text: Safe::line("stage implement: this version has no agent that writes code"),
                    bad: true,
                    until: NOW.plus_ms(2_000),
                }),
                ..home()
            },
        ),
    ]
}
