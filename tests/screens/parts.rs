//! The parts that fixtures are made of: settings, a repository, a panel and its judgement, agents at work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dicast::app::model::{Boot, Lock, Model, Phase, Run, RunOptions, Seat, SeatState};
use dicast::domain::agenda;
use dicast::domain::artifact::Expect;
use dicast::domain::check::{self, FileText, Tree};
use dicast::domain::claim::lookup::{Citation, Found, Lookups};
use dicast::domain::claim::{Assertion, Kind, Polarity, Severity, Tier, Value};
use dicast::domain::consensus::{self, Answer, Inputs, Level, Panel, Participant, Requirement};
use dicast::domain::dissent::{Ledger, Standing};
use dicast::domain::hash::Sha;
use dicast::domain::ids::{AgentName, Family, RunId, SpecId};
use dicast::domain::journal;
use dicast::domain::journal::FileRef;
use dicast::domain::judgement::{self, Ground, Human, Judgement, Phantom};
use dicast::domain::machine::{Access, Machine, ModelServer, Program, Sight};
use dicast::domain::moment::Moment;
use dicast::domain::overview::{Git, Overview, SpecOverview};
use dicast::domain::preparation::Preparation;
use dicast::domain::run::{Progress, SeatKey};
use dicast::domain::safe::Safe;
use dicast::domain::settings::{Agent, AgentKind, DiffLine, Launch, Proposal, Settings, Trust, TrustItem, TrustSource};
use dicast::domain::spec;
use dicast::domain::stage::Stage;
use dicast::domain::stream::Usage;

pub(crate) const START: Moment = Moment(1_795_352_000_000);
pub(crate) const NOW: Moment = Moment(1_795_352_161_200);
pub(crate) const SPEC: &str = "003-rate-limiter";

pub(crate) const SPEC_TEXT: &str = "# Feature Specification: Rate limiter

## Requirements

- **FR-001**: The system MUST limit requests per API key.
- **FR-002**: The system MUST answer 429 with Retry-After.
- **FR-003**: System MUST keep counters in memory or Redis, correct within 1 % over 2 nodes.
- **FR-004**: The system MUST allow short bursts.
- **FR-005**: The system SHOULD send RateLimit headers.
- **FR-006**: The system MUST log each refusal.
";

pub(crate) const TASKS_TEXT: &str = "# Tasks

- [x] T001 Write the limiter (FR-001) in src/limiter.rs
- [x] T002 Test bursts (FR-004) in tests/burst.rs
- [x] T003 Send `RateLimitReset` (FR-005) in src/limiter.rs
- [ ] T004 Share counters (FR-003) in src/store.rs
";

pub(crate) fn name(text: &str) -> AgentName {
    AgentName::new(text).unwrap()
}

pub(crate) fn spec_id(text: &str) -> SpecId {
    SpecId::new(text).unwrap()
}

pub(crate) fn settings(agents: &[(&str, &str, &str)]) -> Settings {
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

pub(crate) const PANEL: [(&str, &str, &str); 4] = [
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
        animate: true,
        yes: false,
        ..Boot::default()
    };
    Model { now: NOW, ..Model::new(START, boot, Arc::new(settings(&PANEL)), Trust::Unneeded) }
}

/// What stands on a machine: programs with their versions, adapters, and what each of the four servers says.
pub(crate) fn machine(
    programs: &[(&str, Access, Sight<Safe>)],
    adapters: &[&str],
    servers: [Sight<Vec<Safe>>; 4],
) -> Machine {
    let places = [("llama.cpp", 8080), ("ollama", 11434), ("vllm", 8000), ("lmstudio", 1234)];
    let program = |(name, access, version): &(&str, Access, Sight<Safe>)| Program {
        name: (*name).to_owned(),
        family: (*name).to_owned(),
        access: access.clone(),
        version: version.clone(),
    };
    let server = |((name, port), models): ((&str, u16), Sight<Vec<Safe>>)| ModelServer {
        name: name.to_owned(),
        base_url: format!("http://127.0.0.1:{port}/v1"),
        models,
    };
    Machine {
        programs: programs.iter().map(program).collect(),
        adapters: adapters.iter().map(|name| ((*name).to_owned(), "claude".to_owned())).collect(),
        servers: places.into_iter().zip(servers).map(server).collect(),
    }
}

/// What nobody listens at says.
pub(crate) fn silent() -> Sight<Vec<Safe>> {
    Sight::Unseen(Safe::line("nothing listens there"))
}

pub(crate) fn tree(specs: usize) -> Tree {
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

pub(crate) fn overview(specs: usize) -> Arc<Overview> {
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
            is_proposed: false,
            is_blank: false,
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

pub(crate) fn trust() -> Trust {
    Trust::Changed {
        proposal: proposal(),
        diff: vec![DiffLine::Added(Safe::line("command = [\"./run-agent\", \"--yolo\"]"))],
    }
}

pub(crate) fn proposal() -> Proposal {
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

pub(crate) fn seat(agent: &str, family: &str, state: SeatState) -> Seat {
    let who =
        journal::Seat { agent: name(agent), family: Family::new(family).unwrap(), scripted: false, external: false };
    Seat { since: Some(START), ..Seat::new(who, 1, state) }
}

pub(crate) fn answer(text: &str) -> judgement::Answer {
    judgement::Answer {
        file: FileRef { path: "plan/claude-1.json".into(), sha256: Sha::of(text), bytes: 2 },
        text: text.into(),
    }
}

pub(crate) fn run_id() -> RunId {
    RunId::mint(START, 7, 1)
}

pub(crate) fn progress(agent: &str, doing: &str, bytes: u64, tail: &[&str]) -> Progress {
    Progress {
        seat: SeatKey { run: run_id(), stage: Stage::Plan, attempt: 1, agent: name(agent) },
        doing: Safe::line(doing),
        lines: tail.len() as u64,
        bytes,
        usage: Usage::default(),
        tail: tail.iter().map(|line| Safe::line(line)).collect(),
    }
}

pub(crate) fn preparation() -> Arc<Preparation> {
    let spec = spec::parse(spec_id(SPEC), "specs/003-rate-limiter", "specs/003-rate-limiter/spec.md", SPEC_TEXT);
    Arc::new(Preparation {
        start: None,
        recalled: Vec::new(),
        range: None,
        text: None,
        unseen: None,
        standing: BTreeMap::new(),
        outdated: None,
        host: Vec::new(),
        agenda: agenda::agenda(&spec, &[]),
        spec: Arc::new(spec),
        stage: Stage::Plan,
        expect: Expect { stage: Stage::Plan, topics: Vec::new(), sent: Vec::new() },
        prompts: BTreeMap::new(),
        inputs: inputs(),
        prior: Default::default(),
        ledger: Default::default(),
        constitution: Default::default(),
    })
}

pub(crate) fn inputs() -> Inputs {
    Inputs { spec_sha256: Some(Sha::of(SPEC_TEXT)), commit: Some("4f2c1d9aa0".into()), ..Inputs::default() }
}

pub(crate) fn run(phase: Phase, seats: Vec<Seat>) -> Run {
    Run {
        id: run_id(),
        brief: None,
        rewritten: None,
        range: None,
        skipped: BTreeMap::new(),
        without: None,
        agendas: BTreeMap::new(),
        spec: spec_id(SPEC),
        stages: Stage::ALL.into(),
        stage: Stage::Plan,
        opened: START,
        ended: (!phase.is_live()).then_some(Moment(NOW.0 - 9_000)),
        options: RunOptions::default(),
        lock: if phase.is_live() { Lock::Ours { copies: 0 } } else { Lock::Free },
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
        gathered: BTreeMap::new(),
        rounds: BTreeMap::new(),
        failed: BTreeMap::new(),
        attempts: BTreeMap::new(),
        spent: BTreeMap::new(),
        decided: BTreeMap::new(),
        openings: BTreeMap::new(),
        opened_with: BTreeMap::new(),
        guarded: BTreeMap::new(),
        guard: None,
        published: BTreeMap::new(),
        bases: BTreeMap::new(),
        intended: BTreeMap::new(),
        take: None,
        basket: None,
        tried: None,
        landing: None,
        landed: false,
        back: None,
        is_going_back: false,
        closing: None,
        stop: None,
        warmth: dicast::app::model::Warmth::Cold,
        survivors: 0,
        memory: dicast::app::model::MemoryState::None,
        warnings: Vec::new(),
    }
}

pub(crate) fn said(
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

pub(crate) fn covers(id: &str, tier: Tier) -> Assertion {
    said(Kind::Covers, id, "covered", "yes", Polarity::Yes, Severity::Major, tier)
}

pub(crate) fn decides(topic: &str, value: &str, tier: Tier) -> Assertion {
    said(Kind::Decision, topic, "answer", value, Polarity::Yes, Severity::Major, tier)
}

pub(crate) fn participant(agent: &str, family: &str, status: Answer, claims: Vec<Assertion>) -> Participant {
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
pub(crate) fn panel() -> Panel {
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

pub(crate) fn judged(panel: Panel) -> Judgement {
    let verdict = consensus::decide(&panel);
    let helped = consensus::helped(&panel, &verdict);
    let canon = panel.canon();
    let file = |path: &str, line| Citation::File { path: path.into(), line: Some(line) };
    let seen = |place: &str, excerpt: &str| Found::Seen {
        sha256: None,
        place: place.into(),
        excerpt: excerpt.into(),
        by: None,
    };
    let pool = (
        file("src/store.rs", 88),
        Some(seen("src/store.rs:88", "pub async fn get(&self) -> Result<Conn, PoolError> {")),
    );
    let map = (file("src/limiter.rs", 40), Some(seen("src/limiter.rs:40", "counters: DashMap<Key, Counter>,")));
    let test =
        (Citation::Test { check: None, id: "two_nodes".into() }, Some(seen("tests/nodes.rs:12", "fn two_nodes() {")));
    let wrong = (
        Citation::Test { check: None, id: "limiter::burst".into() },
        Some(Found::False { why: "no test has this name".into() }),
    );
    let ground = |agent: &str, claim: Sha, because: &str, cited: Vec<_>| Ground {
        tier: None,
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
    let human = Human { waivers: panel.waivers.clone(), ..Human::default() };
    let standing = Standing::after(&Ledger::default(), &preparation().spec, &verdict, human.said(&grounds));
    let lookups: Lookups =
        [pool, map, wrong].into_iter().filter_map(|(citation, found)| Some((citation, found?))).collect();
    let document = "# Plan\n\n2. Keep counters\n- **OPEN** D-007: redis (claude) or local (codex, gemini)\n";
    Judgement {
        reckoned: consensus::reckon(&panel),
        panel: Arc::new(panel),
        verdict: Arc::new(verdict),
        lookups: Arc::new(lookups),
        from_memory: BTreeMap::new(),
        grounds,
        tried: None,
        logs: Vec::new(),
        phantoms: vec![Phantom {
            agent: name("codex"),
            said: Safe::line("test limiter::burst passes"),
            found: Safe::line("no test has this name"),
        }],
        settled: BTreeSet::new(),
        standing: Some(Arc::new(standing)),
        helped,
        documents: vec![("specs/003-rate-limiter/plan.md".into(), document.into())],
        ballot: None,
        round: None,
        warnings: Vec::new(),
        took_ms: 12,
    }
}
