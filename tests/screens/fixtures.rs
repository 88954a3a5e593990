//! One model for each phase and view, built through the domain's own constructors: what is on the snapshots can be on
//! a screen.

use std::collections::BTreeMap;
use std::sync::Arc;

use dicast::app::command;
use dicast::app::line::Line;
use dicast::app::model::{
    Boot, Conflict, Load, Model, Notice, Overlay, Phase, Run, RunOptions, Seat, SeatState, Stop, Transcript, View,
};
use dicast::app::msg::Start;
use dicast::app::update::{open_claims, rows};
use dicast::domain::agenda;
use dicast::domain::artifact::Expect;
use dicast::domain::check::{self, FileText, Tree};
use dicast::domain::claim::lookup::{Citation, Found, Lookups};
use dicast::domain::claim::{Assertion, Kind, Polarity, Severity, Tier, Value};
use dicast::domain::consensus::{self, Answer, Inputs, Level, Panel, Participant, Requirement};
use dicast::domain::failure::{AgentError, Failure, LockOwner};
use dicast::domain::hash::Sha;
use dicast::domain::ids::{AgentName, Family, RunId, SpecId};
use dicast::domain::journal;
use dicast::domain::journal::FileRef;
use dicast::domain::judgement::{self, Ground, Human, Judgement, Phantom};
use dicast::domain::moment::Moment;
use dicast::domain::overview::{Git, Overview, SpecOverview};
use dicast::domain::preparation::Preparation;
use dicast::domain::run::{Progress, SeatKey, TurnKind};
use dicast::domain::safe::Safe;
use dicast::domain::server;
use dicast::domain::settings::{Agent, AgentKind, DiffLine, Launch, Proposal, Settings, Trust, TrustItem, TrustSource};
use dicast::domain::spec;
use dicast::domain::stage::Stage;
use dicast::domain::transcript::{Page, Row};

const START: Moment = Moment(1_795_352_000_000);
const NOW: Moment = Moment(1_795_352_161_200);
const SPEC: &str = "003-rate-limiter";

const SPEC_TEXT: &str = "# Feature Specification: Rate limiter

## Requirements

- **FR-001**: The system MUST limit requests per API key.
- **FR-002**: The system MUST answer 429 with Retry-After.
- **FR-003**: System MUST keep counters in memory or Redis, correct within 1 % over 2 nodes.
- **FR-004**: The system MUST allow short bursts.
- **FR-005**: The system SHOULD send RateLimit headers.
- **FR-006**: The system MUST log each refusal.
";

const TASKS_TEXT: &str = "# Tasks

- [x] T001 Write the limiter (FR-001) in src/limiter.rs
- [x] T002 Test bursts (FR-004) in tests/burst.rs
- [x] T003 Send `RateLimitReset` (FR-005) in src/limiter.rs
- [ ] T004 Share counters (FR-003) in src/store.rs
";

fn name(text: &str) -> AgentName {
    AgentName::new(text).unwrap()
}

fn spec_id(text: &str) -> SpecId {
    SpecId::new(text).unwrap()
}

fn settings(agents: &[(&str, &str, &str)]) -> Settings {
    let agent = |(agent, family, model): &(&str, &str, &str)| Agent {
        model: Some((*model).to_owned()),
        ..Agent::new(
            name(agent),
            Family::new(family).unwrap(),
            AgentKind::Command(Launch { command: vec![(*agent).to_owned()], ..Launch::default() }),
        )
    };
    Settings { agents: agents.iter().map(agent).collect(), ..Settings::default() }
}

const PANEL: [(&str, &str, &str); 4] = [
    ("claude", "anthropic", "opus-5"),
    ("codex", "openai", "gpt-5"),
    ("gemini", "google", "pro"),
    ("qwen", "qwen", "coder"),
];

/// A model that has just started, with four agents configured.
pub(crate) fn started() -> Model {
    let boot = Boot {
        repo: "payments-api".into(),
        version: "0.1.0".into(),
        user: "ana".into(),
        found_agents: vec!["claude".into(), "codex".into()],
        animate: true,
        ..Boot::default()
    };
    Model { now: NOW, ..Model::new(START, boot, Arc::new(settings(&PANEL)), Trust::Unneeded) }
}

fn tree(specs: usize) -> Tree {
    let mut files: BTreeMap<String, FileText> = BTreeMap::new();
    let mut put = |path: String, text: &str| drop(files.insert(path, FileText::text(text)));
    put("src/limiter.rs".into(), "pub struct Limiter;\n// FR-001\n");
    put(format!("specs/{SPEC}/spec.md"), SPEC_TEXT);
    put(format!("specs/{SPEC}/tasks.md"), TASKS_TEXT);
    put("specs/001-login/spec.md".into(), "# Login\n\n- **FR-001**: The system MUST be fast and easy.\n");
    put(
        "specs/002-audit-log/spec.md".into(),
        "# Audit log\n\n- **FR-001**: The system MUST keep each entry 30 days.\n",
    );
    for n in 4..specs + 1 {
        put(format!("specs/{n:03}-feature-日本-{n}").replace("日本", "x") + "/spec.md", SPEC_TEXT);
    }
    Tree { files, ..Tree::default() }
}

fn overview(specs: usize) -> Arc<Overview> {
    let tree = tree(specs);
    let reading = check::read(&tree);
    let report = check::check(&reading, &tree, None, None);
    let specs = reading
        .specs
        .iter()
        .zip(&report.specs)
        .map(|(spec, survey)| SpecOverview {
            spec: Arc::new(spec.clone()),
            survey: survey.clone(),
            findings: report.of(&spec.id).cloned().collect(),
            verdicts: BTreeMap::new(),
        })
        .collect();
    Arc::new(Overview {
        name: "payments-api".into(),
        git: Some(Git {
            branch: Some("main".into()),
            branch_spec: None,
            head: Some("4f2c1d9".into()),
            dirty: 2,
            user: Some("ana".into()),
        }),
        specs,
        report: Arc::new(report),
        context: vec!["AGENTS.md".into(), ".specify/memory/constitution.md".into()],
        hooks: vec![".claude/settings.json".into(), ".mcp.json".into()],
        checks: [("cargo-test".to_owned(), vec!["cargo".to_owned(), "test".to_owned()])].into(),
        took_ms: 214,
    })
}

fn trust() -> Trust {
    Trust::Changed {
        proposal: proposal(),
        diff: vec![DiffLine::Added(Safe::line("command = [\"./run-agent\", \"--yolo\"]"))],
    }
}

fn proposal() -> Proposal {
    let item = |what: &str, argv: &[&str], source| TrustItem {
        what: Safe::line(what),
        argv: argv.iter().map(|word| Safe::line(word)).collect(),
        env: [(Safe::line("TOKEN"), Safe::line("$MY_TOKEN"))].into(),
        env_pass: vec![Safe::line("HOME"), Safe::line("PATH")],
        source,
    };
    Proposal {
        repo: Safe::line("/src/payments-api"),
        repo_key: Sha::of("key"),
        hash: Sha::of("config"),
        config: Some("[[agents]]".into()),
        checks: BTreeMap::new(),
        items: vec![
            item(
                "agent mine",
                &[
                    "./run-agent",
                    "--yolo",
                    "--read",
                    "a very long argument that no screen may ever cut, because what it does could stand at its end: rm -rf",
                ],
                TrustSource::Config,
            ),
            item("MCP server memory", &["dicast", "memory", "serve"], TrustSource::Config),
            item("check cargo-test", &["cargo", "test", "{id}"], TrustSource::Detected),
        ],
    }
}

fn seat(agent: &str, family: &str, state: SeatState) -> Seat {
    Seat {
        who: journal::Seat {
            agent: name(agent),
            family: Family::new(family).unwrap(),
            scripted: false,
            external: false,
        },
        attempt: 1,
        state,
        since: Some(START),
        took_ms: None,
        progress: None,
        answer: None,
        errors: Vec::new(),
        repair: None,
        stopped: false,
    }
}

fn answer(text: &str) -> judgement::Answer {
    judgement::Answer {
        file: FileRef { path: "plan/claude-1.json".into(), sha256: Sha::of(text), bytes: 2 },
        text: text.into(),
    }
}

fn run_id() -> RunId {
    RunId::mint(START, 7, 1)
}

fn progress(agent: &str, doing: &str, bytes: u64, tail: &[&str]) -> Progress {
    Progress {
        seat: SeatKey { run: run_id(), stage: Stage::Plan, attempt: 1, agent: name(agent) },
        doing: Safe::line(doing),
        lines: tail.len() as u64,
        bytes,
        tail: tail.iter().map(|line| Safe::line(line)).collect(),
    }
}

fn preparation() -> Arc<Preparation> {
    let spec = spec::parse(spec_id(SPEC), "specs/003-rate-limiter", "specs/003-rate-limiter/spec.md", SPEC_TEXT);
    Arc::new(Preparation {
        agenda: agenda::agenda(&spec, &[]),
        spec: Arc::new(spec),
        stage: Stage::Plan,
        expect: Expect { stage: Stage::Plan, topics: Vec::new(), sent: Vec::new() },
        prompts: BTreeMap::new(),
        inputs: inputs(),
        prior: Default::default(),
        constitution: Default::default(),
    })
}

fn inputs() -> Inputs {
    Inputs { spec_sha256: Some(Sha::of(SPEC_TEXT)), commit: Some("4f2c1d9aa0".into()), ..Inputs::default() }
}

fn run(phase: Phase, seats: Vec<Seat>) -> Run {
    Run {
        id: run_id(),
        spec: spec_id(SPEC),
        stages: Stage::ALL.into(),
        stage: Stage::Plan,
        opened: START,
        ended: (!phase.is_live()).then_some(Moment(NOW.0 - 9_000)),
        options: RunOptions::default(),
        phase,
        seats,
        preparation: Some(preparation()),
        judgement: None,
        judging: 0,
        judge_again: false,
        human: Human::default(),
        decisions: Vec::new(),
        pending: None,
        unrecorded: Vec::new(),
        known: Arc::default(),
        verdicts: BTreeMap::new(),
        kept: BTreeMap::new(),
        failed: BTreeMap::new(),
        attempts: BTreeMap::new(),
        decided: BTreeMap::new(),
        openings: BTreeMap::new(),
        opened_with: BTreeMap::new(),
        mirroring: 0,
        published: BTreeMap::new(),
        stop: None,
        survivors: 0,
        memory: dicast::app::model::MemoryState::None,
        warnings: Vec::new(),
        held: true,
    }
}

fn said(
    kind: Kind,
    subject: &str,
    predicate: &str,
    value: &str,
    polarity: Polarity,
    severity: Severity,
    tier: Tier,
) -> Assertion {
    Assertion {
        kind,
        subject: subject.into(),
        predicate: predicate.into(),
        value: Value::from(value),
        polarity,
        severity,
        tier,
        requirement: None,
    }
}

fn covers(id: &str, tier: Tier) -> Assertion {
    said(Kind::Covers, id, "covered", "yes", Polarity::Yes, Severity::Major, tier)
}

fn decides(topic: &str, value: &str, tier: Tier) -> Assertion {
    said(Kind::Decision, topic, "answer", value, Polarity::Yes, Severity::Major, tier)
}

fn participant(agent: &str, family: &str, status: Answer, claims: Vec<Assertion>) -> Participant {
    Participant {
        name: name(agent),
        family: Family::new(family).unwrap(),
        voter: true,
        status,
        open_dissent: Vec::new(),
        artifact: None,
        claims,
    }
}

/// A panel of four of which one does not answer: two conflicts, one false claim, one dissent.
fn panel() -> Panel {
    let risk = |subject: &str| said(Kind::Risk, subject, "threatens", "yes", Polarity::Yes, Severity::Minor, Tier::E0);
    let mut panel = Panel::new(spec_id(SPEC), Stage::Plan);
    panel.inputs = inputs();
    panel.requirements = ["FR-001", "FR-002", "FR-003", "FR-004", "FR-006"]
        .iter()
        .map(|id| Requirement { id: (*id).into(), level: Level::Must })
        .collect();
    let phantom = said(Kind::Test, "limiter::burst", "passes", "yes", Polarity::Yes, Severity::Major, Tier::EFalse);
    let against = said(Kind::Covers, "FR-005", "covered", "yes", Polarity::No, Severity::Minor, Tier::E0);
    let agreed = |tier| vec![covers("FR-001", tier), covers("FR-002", Tier::E2), covers("FR-003", Tier::E0)];
    let mut claude = agreed(Tier::E2);
    claude.extend([
        decides("D-007", "redis", Tier::E2),
        covers("FR-005", Tier::E0),
        risk("clock goes back"),
        covers("FR-004", Tier::E2),
    ]);
    let mut codex = agreed(Tier::E3True);
    codex.extend([
        decides("D-007", "local", Tier::E2),
        decides("D-008", "20", Tier::E0),
        covers("FR-005", Tier::E0),
        phantom,
        covers("FR-004", Tier::E0),
    ]);
    let mut gemini = agreed(Tier::E0);
    gemini.extend([decides("D-007", "local", Tier::E0), decides("D-008", "10", Tier::E0), against]);
    panel.agents = vec![
        participant("claude", "anthropic", Answer::Ok, claude),
        participant("codex", "openai", Answer::Ok, codex),
        participant("gemini", "google", Answer::Ok, gemini),
        participant("qwen", "qwen", Answer::RateLimited, Vec::new()),
    ];
    panel.check().unwrap();
    panel
}

fn judged(panel: Panel) -> Judgement {
    let verdict = consensus::decide(&panel);
    let canon = panel.canon();
    let file = |path: &str, line| Citation::File { path: path.into(), line: Some(line) };
    let seen = |place: &str, excerpt: &str| Found::Seen { sha256: None, place: place.into(), excerpt: excerpt.into() };
    let pool = (
        file("src/store.rs", 88),
        Some(seen("src/store.rs:88", "pub async fn get(&self) -> Result<Conn, PoolError> {")),
    );
    let map = (file("src/limiter.rs", 40), Some(seen("src/limiter.rs:40", "counters: DashMap<Key, Counter>,")));
    let test = (Citation::Test { check: None, id: "two_nodes".into() }, None);
    let wrong = (
        Citation::Test { check: None, id: "limiter::burst".into() },
        Some(Found::False { why: "no test has this name".into() }),
    );
    let ground = |agent: &str, claim: Sha, because: &str, cited: Vec<_>| Ground {
        agent: name(agent),
        claim,
        because: Safe::line(because),
        cited,
    };
    let store = canon.key(Kind::Decision, "D-007", "answer");
    let burst = canon.key(Kind::Test, "limiter::burst", "passes");
    let grounds = vec![
        ground(
            "claude",
            store.clone(),
            "Counters live in Redis, one script for INCR and EXPIRE, with a local cache of 50 ms: 2 nodes must share counters.",
            vec![pool.clone(), test.clone()],
        ),
        ground(
            "codex",
            store.clone(),
            "Counters stay in the process; nodes exchange deltas every 200 ms.",
            vec![map.clone()],
        ),
        ground("gemini", store, "No new network hop in the hot path.", Vec::new()),
        ground("codex", burst, "the burst test covers it", vec![wrong.clone()]),
    ];
    let lookups: Lookups =
        [pool, map, wrong].into_iter().filter_map(|(citation, found)| Some((citation, found?))).collect();
    let document = "# Plan\n\n2. Keep counters\n- **OPEN** D-007: redis (claude) or local (codex, gemini)\n";
    Judgement {
        panel: Arc::new(panel),
        verdict: Arc::new(verdict),
        lookups: Arc::new(lookups),
        from_memory: BTreeMap::new(),
        grounds,
        phantoms: vec![Phantom {
            agent: name("codex"),
            said: Safe::line("test limiter::burst passes"),
            found: Safe::line("no test has this name"),
        }],
        documents: vec![("specs/003-rate-limiter/plan.md".into(), document.into())],
        warnings: Vec::new(),
        took_ms: 12,
    }
}

fn with_run(model: Model, run: Run) -> Model {
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
        protocol: Some("2025-06-18".into()),
        tools: vec!["remember".into(), "recall".into(), "search".into()],
        calls: 41,
        latency_us,
        restarts: 1,
        last_line: last_line.map(Safe::line),
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

fn asking() -> Model {
    let mut run = run(Phase::Asking, asking_seats());
    let mut panel = panel();
    panel.agents[0].status = Answer::Missing;
    panel.agents[0].claims.clear();
    run.judgement = Some(Arc::new(judged(panel)));
    run.judging = 1;
    with_run(servers(started()), run)
}

fn decided() -> Model {
    let mut seats = asking_seats();
    seats[0].state = SeatState::Answered;
    (seats[0].took_ms, seats[0].answer) = (Some(161_000), Some(answer("{}")));
    seats[3].state = SeatState::Failed(AgentError::RateLimit { retry_after_ms: None });
    let mut run = run(Phase::Decided, seats);
    let judgement = Arc::new(judged(panel()));
    run.verdicts.insert(Stage::Plan, judgement.clone());
    run.judgement = Some(judgement);
    with_run(Model { key_us: Some(870), ..started() }, run)
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

/// A claim that the host found false.
fn struck() -> Model {
    let mut model = verdict(0);
    let run = &model.runs[&run_id()];
    let judgement = run.judgement.as_ref().unwrap();
    let is_struck = |key: &Sha| judgement.verdict.claims.iter().any(|c| &c.key == key && c.subject == "limiter::burst");
    let at = rows(run, true).iter().position(is_struck).unwrap();
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
    model.views.push(View::Conflict(Conflict {
        run: run_id(),
        stage: Stage::Plan,
        claim: store,
        side,
        citation: 0,
        reason: Line::new(reason),
        typing: is_typing,
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

/// Every fixture by name.
pub(crate) fn all() -> Vec<(&'static str, Model)> {
    let failure = Failure::needs_input("specs/", "it cannot be read", "make it readable");
    let view = |view: View, model: Model| Model { views: vec![View::Home { cursor: 0 }, view], ..model };
    vec![
        ("home", home()),
        ("home_loading", started()),
        ("home_failed", Model { survey: Load::Failed(failure.clone()), ..started() }),
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
        ("run_failed", failed()),
        ("run_demo", demo()),
        ("run_overfull", overfull()),
        ("run_gone", view(View::Dashboard { run: run_id(), cursor: 0, pane: 1, scroll: 0 }, started())),
        ("transcript", transcript(Load::Ready(page(200)), None)),
        ("transcript_search", transcript(Load::Ready(page(200)), Some("clock"))),
        ("transcript_loading", transcript(Load::Loading(Moment(NOW.0 - 3_000)), None)),
        ("transcript_empty", transcript(Load::Ready(page(0)), None)),
        ("transcript_failed", transcript(Load::Failed(failure), None)),
        ("verdict", verdict(0)),
        ("verdict_struck", struck()),
        ("verdict_passed", passed()),
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
        ("servers", view(View::Servers { cursor: 0 }, servers(started()))),
        ("servers_none", view(View::Servers { cursor: 0 }, started())),
        ("trust", view(View::Trust { scroll: 0 }, home())),
        ("trust_none", view(View::Trust { scroll: 0 }, started())),
        ("help", view(View::Help { scroll: 0 }, started())),
        ("help_end", view(View::Help { scroll: 40 }, started())),
        ("command", typed("p", None)),
        ("command_palette", typed("", None)),
        ("command_error", typed("plna 003", Some("command \"plna\": there is no such command · did you mean plan?"))),
        (
            "search",
            Model { overlay: Some(Overlay::Search(Line::new("retry"))), ..transcript(Load::Ready(page(200)), None) },
        ),
        (
            "preflight",
            Model {
                overlay: Some(Overlay::Preflight(Start {
                    spec: spec_id(SPEC),
                    stages: vec![Stage::Plan],
                    fresh: false,
                    rerun_missing: false,
                })),
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
