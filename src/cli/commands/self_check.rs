//! `dicast self-check`: shows that this program works on this machine. It decides recorded panels, writes and verifies a
//! journal, ends a process with its child, and asks the memory server that comes with it. No network, no config, no
//! repository: a folder of its own for as long as it takes.
//!
//! It must not know how any of that is done.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::ask::Desk;
use super::super::out::{Done, table};
use super::now;
use crate::actors::agents::process::{Children, Cut, Program, Tag, converse};
use crate::actors::agents::version;
use crate::actors::evidence::{Commit, Filter, NewFile};
use crate::actors::lanes::lanes;
use crate::actors::{evidence, mcp, promise};
use crate::app::look::Colours;
use crate::config::found::find_on_path;
use crate::disk::{Store, proc, scratch};
use crate::domain::consensus::{decide, parse_panel};
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::{Closed, FileRef, Record};
use crate::domain::redact::Redactor;
use crate::domain::run::Limits;
use crate::domain::settings::{MemoryServer, Settings};
use crate::domain::stage::Stage;
use crate::shell::Clock;
use crate::shell::engine::own_program;
use crate::shell::hands::{Hands, Places};
use crate::shell::look::find_out;

/// A recorded panel with its verdict, by the name of its files.
macro_rules! recorded {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../../tests/golden/", $name, ".panel.json")),
            include_str!(concat!("../../../tests/golden/", $name, ".verdict.json")),
        )
    };
}

/// Recorded panels with the verdict that each had: one for each way to end, and one of candidates.
const RECORDED: [(&str, &str, &str); 10] = [
    recorded!("agree"),
    recorded!("agree_with_dissent"),
    recorded!("blocked"),
    recorded!("conflict"),
    recorded!("degraded"),
    recorded!("hollow"),
    recorded!("implement"),
    recorded!("no_quorum"),
    recorded!("rejected"),
    recorded!("waived"),
];

/// How long one step may take: a slow disk and a cold start of our own program fit.
const STEP: Duration = Duration::from_secs(15);

/// How long the child of the third step gets to start a child of its own.
const SETTLING: Duration = Duration::from_millis(300);

/// Grace for that child and for the memory server.
const GRACE: Duration = Duration::from_millis(200);

/// The exit code when something does not work.
const BROKEN: u8 = 3;

/// What a step found: in words, what is as it should be, or what is not.
type Found = Result<String, Failure>;

/// Does every step, and exits 0 where all of them came out as they must.
///
/// # Errors
/// When the system gives us no threads or no folder.
pub(super) fn self_check(json: bool) -> Result<Done, Failure> {
    let folder = scratch::fresh("self-check")?;
    let steps = steps(&folder);
    scratch::clear(&folder)?;
    let steps = steps?;
    let exit = if steps.iter().all(|step| step.found.is_ok()) { 0 } else { BROKEN };
    let text = match json {
        true => Done::json(steps.iter().map(Step::json).collect::<String>()),
        false => Done::lines(table(&steps.iter().map(Step::row).collect::<Vec<_>>())),
    };
    Ok(text.with_exit(exit))
}

/// One thing that was tried.
struct Step {
    name: &'static str,
    took: Duration,
    found: Found,
}

impl Step {
    fn row(&self) -> Vec<String> {
        let (word, text) = match &self.found {
            Ok(text) => ("ok", text.clone()),
            Err(failure) => ("BROKEN", format!("{failure}; next: {}", failure.hint())),
        };
        vec![self.name.to_owned(), word.to_owned(), format!("{} ms", self.took.as_millis()), text]
    }

    fn json(&self) -> String {
        let text = self.found.clone().unwrap_or_else(|failure| failure.to_string());
        let next = self.found.as_ref().err().map(Failure::hint);
        let value = json!({
            "schema": "dicast.self-check/1", "name": self.name, "ok": self.found.is_ok(),
            "took_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX), "text": text, "next": next,
        });
        format!("{value}\n")
    }
}

fn step(name: &'static str, work: impl FnOnce() -> Found) -> Step {
    let began = Instant::now();
    let found = work();
    Step { name, took: began.elapsed(), found }
}

fn steps(folder: &std::path::Path) -> Result<Vec<Step>, Failure> {
    let desk = Desk::open()?;
    let (lanes, _facts) = lanes(desk.scope.waker().clone());
    let places = Places {
        repo: folder.to_owned(),
        program: own_program()?,
        private: folder.to_owned(),
        config: None,
        speed: "0".into(),
        memory_delay_ms: 0,
    };
    let settings = Settings::default();
    let hands = desk.inside(|| Hands::start(desk.scope.clone(), &lanes, Clock::start(), &places, &settings));
    let steps = vec![
        step("verdicts", verdicts),
        step("evidence", || kept(&desk, &hands, folder)),
        step("processes", || ended(&desk, &hands.children)),
        step("memory", || remembered(&desk, &hands.mcp)),
        step("git", || git(&desk, &hands.children)),
        step("terminal", || Ok(terminal())),
    ];
    desk.ask(GRACE + STEP, "ending the memory server", hands.mcp.stop(GRACE))?;
    Ok(steps)
}

fn broken(what: &str, why: impl Into<String>) -> Failure {
    Failure::BadReply { from: what.to_owned(), why: why.into() }
}

/// Decides the recorded panels, and holds each verdict's hash against the recorded one.
fn verdicts() -> Found {
    for (name, panel, verdict) in RECORDED {
        let recorded: serde_json::Value = serde_json::from_str(verdict)
            .map_err(|error| broken(name, format!("its record cannot be read: {error}")))?;
        let decided = decide(&parse_panel(panel)?);
        if recorded["hash"] != decided.hash.as_str() {
            return Err(broken(name, format!("it is decided with hash {}, not as recorded", decided.hash.as_str())));
        }
    }
    Ok(format!("{} recorded panels are decided as recorded, hash for hash", RECORDED.len()))
}

/// Keeps a run, meets its own lock, gives it back, and verifies what it kept.
fn kept(desk: &Desk, hands: &Hands, folder: &std::path::Path) -> Found {
    let spec = SpecId::new("001-self-check").map_err(|bad| broken("evidence", bad.to_string()))?;
    let (at, token) = (now(), desk.token());
    let run = RunId::mint(at, u64::from(std::process::id()), 0);
    let ask = |what: &str, reply| desk.ask(STEP, what, reply);
    desk.ask(STEP, "opening a run", hands.evidence.open_run(spec.clone(), run.clone(), at, token.clone()))?;
    let second = evidence::Settings {
        root: PathBuf::from(Settings::default().evidence.root),
        lock_timeout: GRACE,
        redactor: Redactor::default(),
    };
    let other = desk.inside(|| evidence::spawn(&desk.scope, Store::real(folder), second));
    let met = desk.ask(STEP, "meeting a lock", other.open_run(spec.clone(), run.clone(), at, token.clone()));
    if !matches!(met, Err(Failure::LockHeld { .. })) {
        return Err(broken("the run's lock", format!("a second owner was let in: {met:?}")));
    }
    let inputs: (String, Arc<str>) = ("inputs.json".into(), "{}".into());
    let (file, text) = (FileRef::of(&inputs), inputs.1);
    let records = vec![
        Record::RunOpened {
            spec: spec.clone(),
            stages: vec![Stage::Plan],
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
        },
        Record::StageOpened { stage: Stage::Plan, seats: vec![], inputs: file, prompts: vec![], recalled: vec![] },
        Record::RunClosed { why: Closed::Abandoned, survivors: None },
    ];
    let files = vec![NewFile { path: inputs.0, bytes: text }];
    let commit = Commit { spec: spec.clone(), run: run.clone(), at, files, records };
    desk.ask(STEP, "keeping records", hands.evidence.commit(commit, token.clone()))?;
    ask("giving the lock back", hands.evidence.close_run(spec.clone(), run.clone()))?;
    desk.ask(STEP, "taking the lock again", other.open_run(spec.clone(), run.clone(), at, token.clone()))?;
    ask("giving the lock back", other.close_run(spec, run))?;
    let found = desk.ask(STEP, "verifying", hands.evidence.verify(Filter::default(), token))?;
    match (found.ok, found.runs) {
        (true, 1) => Ok(format!("written, synced, locked, given back and verified: {} files", found.files)),
        (_, runs) => Err(broken("evidence verify", format!("{runs} runs, {:?}", found.problems))),
    }
}

/// What the child does: it starts one of its own that takes no notice of TERM, names it, and waits.
const STUBBORN: &str = "(trap '' TERM; exec sleep 600) & echo $!; wait";

/// Starts a child with a child of its own, stops it, and looks whether either is left.
fn ended(desk: &Desk, children: &Children) -> Found {
    let program = Program {
        command: ["/bin/sh", "-c", STUBBORN].map(str::to_owned).to_vec(),
        env: Default::default(),
        env_pass: vec!["PATH".into()],
        cwd: "/".into(),
        tag: Tag { run: "self-check".into(), seat: "child".into() },
    };
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let limits = Limits {
        start_ms: ms(STEP),
        first_event_ms: ms(STEP),
        idle_ms: ms(STEP),
        total_ms: ms(STEP),
        kill_grace_ms: ms(GRACE),
        stdout_max: 1 << 10,
        stderr_max: 1 << 10,
    };
    let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
    let (kept, reply) = promise("processes", desk.scope.waker());
    let (late, children) = (stop.clone(), children.clone());
    desk.scope.spawn(async move {
        tokio::time::sleep(SETTLING).await;
        late.cancel();
    });
    desk.scope.spawn(async move {
        kept.keep(match children.start(&program) {
            Ok(child) => Ok(converse(child, Arc::from(""), &limits, &stop, &kill, &mut ()).await),
            Err(refusal) => Err(broken("/bin/sh", refusal.to_string())),
        });
    });
    let spoken = desk.ask(STEP, "ending a process", reply)?;
    let pid: u32 = spoken.stdout.text().trim().parse().map_err(|_| broken("/bin/sh", "it started no child"))?;
    if spoken.cut != Some(Cut::Stopped) {
        return Err(broken("/bin/sh", "it ended by itself"));
    }
    // One that has ended and waits for its new parent to notice is gone.
    let lives = proc::look(pid).is_some_and(|process| !process.has_ended);
    if spoken.ended.survivors > 0 || lives {
        return Err(broken("processes", format!("{} left; its child {pid} lives: {lives}", spoken.ended.survivors)));
    }
    Ok("a child and its own child, which ignores TERM, are gone".to_owned())
}

/// Stores a text with the memory server that comes with the program, and finds it again.
fn remembered(desk: &Desk, servers: &mcp::Handle) -> Found {
    const TEXT: &str = "the self-check was here";
    let call = |tool: &str, args| {
        let patience_ms = u64::try_from(STEP.as_millis()).unwrap_or(u64::MAX);
        let ask = mcp::Ask {
            server: MemoryServer::EMBEDDED.to_owned(),
            tool: tool.to_owned(),
            args,
            patience_ms,
            is_idempotent: true,
        };
        desk.ask(STEP, "the memory server", servers.call(ask, desk.token()))
    };
    call("store_memory", json!({"content": TEXT, "tags": ["self-check"], "key": "self-check"}))?;
    let found = call("search", json!({"query": "self-check", "tags": ["self-check"], "limit": 1}))?;
    match found.to_string().contains(TEXT) {
        true => Ok("started, stored and found again".to_owned()),
        false => Err(broken("the memory server", format!("it does not find what it stored: {found}"))),
    }
}

fn git(desk: &Desk, children: &Children) -> Found {
    let path = std::env::var_os("PATH");
    let Some(found) = find_on_path(["git"], path.as_deref()).into_iter().next() else {
        return Ok("not on PATH: no tree can be compared, everything else works".to_owned());
    };
    let version = desk.ask(STEP, "git", version::version(&desk.scope, children, found.path))?;
    version.map(|version| version.to_string()).map_err(|why| broken("git", why.as_str()))
}

/// What the terminal is, if there is one. None is as good.
fn terminal() -> String {
    if !std::io::stdout().is_terminal() {
        return "none: lines are printed".to_owned();
    }
    let size = crossterm::terminal::size().map_or_else(|_| "of no size".into(), |(c, r)| format!("{c}x{r}"));
    let name = std::env::var("TERM").unwrap_or_else(|_| "TERM is not set".into());
    let look = find_out(|name| std::env::var(name).ok());
    let colours = match look.colours {
        Colours::None => "no colours",
        Colours::Sixteen => "16 colours",
        Colours::Full => "24-bit colours",
    };
    let signs = if look.is_ascii { "ASCII" } else { "UTF-8" };
    format!("{size}, {name}, {colours}, {signs}")
}
