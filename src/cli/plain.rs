//! Events and verdicts as lines: for people, and as JSON for programs.
//!
//! Pure: text in, text out. Foreign text passes through `Safe`.

use std::path::{Path, PathBuf};

use crate::app::event::{Event, Tokens, What};
use crate::app::model::{Model, Phase, Run};
use crate::app::update::rows;
use crate::domain::back::MOST;
use crate::domain::budget;
use crate::domain::claim::Severity;
use crate::domain::consensus::Label;
use crate::domain::guardrail::Report;
use crate::domain::ids::AgentName;
use crate::domain::moment::{Moment, clock};
use crate::domain::safe::Safe;
use crate::domain::server::State;
use crate::domain::stage::Stage;

pub use crate::app::event::EVENT_SCHEMA;

/// Returns an event as a JSON object with its number.
pub fn object(event: &Event, sequence: u64) -> serde_json::Value {
    let mut object = event.to_json();
    object["seq"] = sequence.into();
    object
}

/// Writes an event as one JSON object without a line break.
pub fn json(event: &Event, sequence: u64) -> String {
    object(event, sequence).to_string()
}

/// Writes an event for people: what goes to stderr, and what is a result.
pub fn lines(event: &Event) -> (String, String) {
    let clean = |text: String| Safe::block(&text).to_string();
    let progress = |text: String| (clean(text) + "\n", String::new());
    match &event.what {
        What::RunStarted { spec, stages, resumed } => {
            let stages: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
            let run = event.run.as_ref().map_or("?", |run| run.short());
            let again = if *resumed { " (goes on)" } else { "" };
            progress(format!("run {run}: {} of {spec}{again}", stages.join(", ")))
        }
        What::StageStarted { stage, agents, recalled, range, left_out } => {
            progress(format!("{stage}: {}{}", asking(agents, range.as_deref(), *recalled), without(left_out)))
        }
        What::StageSkipped { stage, reason } => progress(format!("{stage}: left out: {reason}")),
        What::GateHeld { checkpoint, critical, important, minor } => progress(format!(
            "gates {}: {critical} critical, {important} important, {minor} minor open",
            checkpoint.words()
        )),
        What::GateAsked { issue, next, .. } => progress(format!(
            "asked: {} ({} {}:{})\n  next     {next}",
            issue.ask, issue.id, issue.place.file, issue.place.line
        )),
        What::GuardrailFinished { report, .. } => progress(guardrails(report)),
        What::CandidatesTried { tried, .. } => (String::new(), clean(super::candidates::table(tried))),
        What::CandidateLanded { .. } => (String::new(), clean(super::candidates::landed(&event.what))),
        What::DocumentMerged { merge, .. } => progress(merge.to_string()),
        What::DocumentAside { aside, .. } => progress(format!("warning: {aside}")),
        What::WentBack { stage, to, nth, why } => progress(back(*stage, *to, *nth, why)),
        What::AgentStarted { agent, attempt, scripted, turn, .. } => {
            let label = if *scripted { " SCRIPTED" } else { "" };
            let what = match turn {
                Some(_) => ", for the round".to_owned(),
                None if *attempt > 1 => format!(", try {attempt}"),
                None => String::new(),
            };
            progress(format!("{agent}{label}: started{what}"))
        }
        What::AgentProgress { doing, .. } if doing.as_str().trim().is_empty() => (String::new(), String::new()),
        What::AgentProgress { agent, doing, .. } => progress(format!("{agent}: {}", Safe::line(doing.as_str()))),
        What::AgentFinished { agent, duration_ms, why: None, turn: Some(_), tokens, cost_micro_usd, .. } => {
            progress(format!("{agent}: voted in {}{}", took(*duration_ms), used(*tokens, *cost_micro_usd)))
        }
        What::AgentFinished { agent, duration_ms, why: Some(why), next, turn: Some(_), .. } => {
            let next = next_step(next.as_deref());
            progress(format!("{agent}: {why} after {}, stays silent in the round{next}", took(*duration_ms)))
        }
        What::RoundStarted { items, agents, .. } => {
            let agents: Vec<&str> = agents.iter().map(|agent| agent.as_str()).collect();
            let things = if *items == 1 { "1 thing stands" } else { &format!("{items} things stand") };
            progress(format!("round: {things} open, asking {} once, without names", agents.join(", ")))
        }
        What::RoundFinished { changes, .. } => progress(changes.to_string()),
        What::AgentFinished { agent, duration_ms, why, next, retry_at, tokens, cost_micro_usd, .. } => {
            let took = format!("{}{}", took(*duration_ms), used(*tokens, *cost_micro_usd));
            let again = retry_at.as_ref().map(|at| format!(", asked again {}", when(event.at, at))).unwrap_or_default();
            progress(match why {
                None => format!("{agent}: answered in {took}"),
                Some(why) => format!("{agent}: {why} after {took}{again}{}", next_step(next.as_deref())),
            })
        }
        What::ServerChanged { server } => progress(format!("MCP server {}: {}", server.name, state(&server.state))),
        // Claims of severity info never move a status: to people they are no news.
        What::ClaimLabelled { claim, label, severity, provisional: false, .. }
            if label == Label::Conflict.name() && *severity > Severity::Info =>
        {
            progress(format!("conflict: {claim}"))
        }
        What::ClaimLabelled { .. } => (String::new(), String::new()),
        What::SpecProposed { .. } | What::SpecRewritten { .. } => {
            (String::new(), clean(super::proposal::told(&event.what)))
        }
        What::StageVerdict { .. } => (String::new(), clean(verdict(&event.what))),
        What::Warning { text } => progress(format!("warning: {text}")),
        What::RunFinished { .. } => progress(finished(&event.what)),
    }
}

/// Says how a run ended.
fn finished(what: &What) -> String {
    let What::RunFinished { exit, evidence, memory, failure, spent, .. } = what else { return String::new() };
    let mut text = spent.as_ref().map(|spent| format!("used     {spent}\n")).unwrap_or_default();
    if let Some((failure, hint)) = failure {
        text.push_str(&format!("error: {failure}\n  next     {hint}\n"));
    }
    if let Some(evidence) = evidence {
        text.push_str(&format!("evidence {evidence}\nmemory   {memory}\n"));
    }
    text.push_str(&format!("finished with exit {exit}"));
    text
}

/// Says that a run goes back, with the first line of why.
fn back(stage: Stage, to: Stage, nth: u32, why: &Safe) -> String {
    let first = why.as_str().lines().next().unwrap_or_default();
    format!("{stage} did not pass, back to {to} (try {nth} of {}): {first}", MOST + 1)
}

/// Says who is asked about what.
fn asking(agents: &[AgentName], range: Option<&str>, recalled: usize) -> String {
    let about = range.map(|range| format!(" about the commits {range}")).unwrap_or_default();
    let agents: Vec<&str> = agents.iter().map(|agent| agent.as_str()).collect();
    format!("asking {}{about}{}", agents.join(", "), told(recalled))
}

/// Says who was left out by a person.
fn without(left_out: &[String]) -> String {
    if left_out.is_empty() { String::new() } else { format!(", left out of this run: {}", left_out.join(", ")) }
}

/// Writes how many notes of earlier runs agents were told.
fn told(recalled: usize) -> String {
    match recalled {
        0 => String::new(),
        1 => " (told 1 note of an earlier run)".to_owned(),
        n => format!(" (told {n} notes of earlier runs)"),
    }
}

fn next_step(next: Option<&str>) -> String {
    next.map(|next| format!("\n  next     {next}")).unwrap_or_default()
}

fn state(state: &State) -> String {
    match state {
        State::Starting => "starting, nothing waits for it".to_owned(),
        State::Ready => "ready".to_owned(),
        State::Degraded { why } => format!("degraded: {why}"),
        State::Lost { attempt, why, .. } => format!("lost, try {attempt}: {why}"),
        State::Dead { why } => format!("gone: {why}"),
    }
}

/// Writes a recorded verdict: how the stage ended and why, whether the panel helped, which dissents go on.
fn verdict(what: &What) -> String {
    let What::StageVerdict { stage, status, exit, hash, path, why, panel_helped, carried } = what else {
        return String::new();
    };
    let mut text = format!("{stage}: {status} (exit {exit})\n  why      {why}\n  verdict  {path} {hash}\n");
    if let Some(panel) = panel_helped {
        text.push_str(&format!("  panel helped?  {}\n", panel.why));
    }
    for dissent in carried {
        let next = stage.next().map_or_else(String::new, |next| format!(" · asked again at {next}"));
        text.push_str(&format!("  dissent  {}{next}\n", Safe::line(dissent)));
    }
    text
}

/// Writes what a turn used, after how long it took.
fn used(tokens: Option<Tokens>, cost_micro_usd: Option<u64>) -> String {
    let tokens = tokens.map(|used| format!(", {} tokens", budget::tokens(used.input + used.output)));
    let cost = cost_micro_usd.map(|cost| format!(", {}", budget::dollars(cost)));
    tokens.into_iter().chain(cost).collect()
}

/// Writes what guardrails came to: a line for each command, and below a failed one what it said.
pub fn guardrails(report: &Report) -> String {
    let mut lines = Vec::new();
    for path in &report.dirty {
        lines.push(format!("not committed: {path}"));
    }
    for ran in &report.ran {
        let word = if ran.passed { "passed" } else { "FAILED" };
        let how = match (&ran.ended, ran.exit) {
            (Some(why), _) => format!(", {why}"),
            (None, Some(code)) if !ran.passed => format!(" with exit {code}"),
            (None, _) => String::new(),
        };
        lines.push(format!(
            "guardrail {} {}: {} {word}{how} in {}",
            report.when.word(),
            report.stage,
            ran.argv.join(" "),
            took(ran.took_ms)
        ));
        if !ran.passed {
            lines.extend(ran.lines.iter().map(|line| format!("  {line}")));
            lines.extend(ran.log.iter().map(|log| format!("  all of it: {log}")));
        }
    }
    lines.join("\n")
}

/// Milliseconds of a second and of a day.
const SECOND: u64 = 1_000;
const DAY: u64 = 86_400_000;

/// Writes a duration: milliseconds below a second.
fn took(ms: u64) -> String {
    if ms < SECOND { format!("{ms} ms") } else { clock(ms) }
}

/// Writes how long it is until a time that is written as [`Moment::rfc3339`] writes it, and less than a day away.
fn when(now: Moment, at: &str) -> String {
    let of_day = |text: &str| -> Option<u64> {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
        Some(((number(11, 13)? * 60 + number(14, 16)?) * 60 + number(17, 19)?) * SECOND + number(20, 23)?)
    };
    match of_day(at) {
        Some(then) => {
            let ms = (then + DAY - now.0 % DAY) % DAY;
            if ms < 60 * SECOND { format!("in {} s", ms.div_ceil(SECOND)) } else { format!("in {}", clock(ms)) }
        }
        None => format!("at {at}"),
    }
}

/// How a command that is printed names the repository, so that it can be pasted where the user stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aim {
    /// The repository, where it is not what a command finds by itself.
    pub repo: Option<PathBuf>,
    /// The config that was given by hand.
    pub config: Option<PathBuf>,
}

impl Aim {
    /// Writes a command that only reads.
    pub fn reading(&self, words: &str) -> String {
        match &self.repo {
            Some(repo) => format!("dicast --repo {} {words}", quoted(repo)),
            None => format!("dicast {words}"),
        }
    }

    /// Writes a command that runs agents: they stand in the config.
    fn running(&self, words: &str) -> String {
        match &self.config {
            Some(config) => self.reading(&format!("--config {} {words}", quoted(config))),
            None => self.reading(words),
        }
    }

    /// Writes a path of the repository as the user finds it.
    fn path(&self, path: &str) -> String {
        self.repo.as_ref().map_or_else(|| path.to_owned(), |repo| repo.join(path).display().to_string())
    }
}

/// Writes a path as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.chars().all(|c| c.is_alphanumeric() || "/._-+,@".contains(c)) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Digits of a key that tell claims of one spec apart.
const SHORT: usize = 12;

/// Returns the lines that stay on the terminal when the screen goes: outcome and why, and the command that goes on.
pub fn farewell(model: &Model, aim: &Aim) -> String {
    let Some(run) = model.runs.values().next_back() else { return String::new() };
    let outcome = match (&run.phase, run.judgement.as_ref()) {
        (Phase::Decided, Some(judgement)) => {
            format!("{} {}: {} · {}", run.stage, run.spec, judgement.verdict.status.name(), judgement.verdict.why())
        }
        (Phase::Failed(failure), _) => format!("{} {}: {failure} · {}", run.stage, run.spec, failure.hint()),
        (Phase::Foreign(owner), _) => format!("{} {}: goes on, pid {} owns it", run.stage, run.spec, owner.pid),
        (Phase::Stopped, _) => format!(
            "{} {}: stopped, {} answers kept, {} processes left",
            run.stage,
            run.spec,
            run.answered(),
            run.survivors
        ),
        (
            phase @ (Phase::Opening
            | Phase::Holding(_)
            | Phase::Waiting { .. }
            | Phase::Guarding(_)
            | Phase::Preparing
            | Phase::Asking
            | Phase::Judging
            | Phase::Recording
            | Phase::Publishing
            | Phase::Testing { .. }
            | Phase::Stopping
            | Phase::Decided),
            _,
        ) => format!("{} {}: {}", run.stage, run.spec, if phase.is_live() { "abandoned" } else { "ended" }),
    };
    let took = clock(run.elapsed_ms(model.now));
    let first = rows(run, run.stage, false).into_iter().next();
    let next = match (&run.phase, first) {
        (Phase::Decided, Some(key)) => {
            let short: String = key.as_str().chars().take(SHORT).collect();
            aim.reading(&format!("explain {} {} {short}", run.spec, run.stage))
        }
        (Phase::Decided, None) => aim.reading(&format!("verdict {} {}", run.spec, run.stage)),
        (Phase::Foreign(_), _) => aim.reading(&format!("watch {}", run.spec)),
        (_, _) => aim.running(&format!("{} {}", run.stage, run.spec)),
    };
    let evidence = aim.path(&format!("{}/consensus/{}/{}", model.settings.evidence.root, run.spec, run.id));
    Safe::block(&format!("{outcome}\ntook {took}, evidence in {evidence}\ngo on with: {next}\n")).to_string()
}

/// Returns the lines that stay on the terminal when the screen goes and what is live goes on.
pub fn detached(model: &Model, aim: &Aim) -> String {
    let line = |run: &Run| {
        let (spec, pid) = (&run.spec, model.boot.pid);
        let (watch, stop) = (aim.reading(&format!("watch {spec}")), aim.reading(&format!("cancel {spec}")));
        format!("{} {spec} goes on without a screen, pid {pid}\nfollow it: {watch} · stop it: {stop}\n", run.stage)
    };
    Safe::block(&model.live_runs().map(line).collect::<String>()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_pasted() {
        let here = Aim::default();
        assert_eq!((here.reading("check"), here.path("a/b")), ("dicast check".to_owned(), "a/b".to_owned()));
        let there = Aim { repo: Some("/tmp/it's here".into()), config: Some("/c.toml".into()) };
        assert_eq!(there.reading("check"), r"dicast --repo '/tmp/it'\''s here' check");
        assert_eq!(there.running("plan 003"), r"dicast --repo '/tmp/it'\''s here' --config /c.toml plan 003");
        assert_eq!(there.path("a"), "/tmp/it's here/a");
    }

    #[test]
    fn conflicts_of_severity_info_are_no_news_to_people_and_told_to_programs() {
        let told = |severity| {
            let what = What::ClaimLabelled {
                stage: crate::domain::stage::Stage::Plan,
                key: crate::domain::hash::Sha::of("x"),
                claim: "test FR-001".into(),
                label: "conflict".into(),
                severity,
                provisional: false,
                settled: false,
            };
            let event = Event { at: Moment(0), run: None, ask: None, what };
            (lines(&event).0, json(&event, 1).contains("claim.labelled"))
        };
        assert_eq!(told(Severity::Info), (String::new(), true));
        assert_eq!(told(Severity::Minor), ("conflict: test FR-001\n".to_owned(), true));
    }

    #[test]
    fn short_times_are_in_milliseconds_and_later_ones_relative() {
        assert_eq!((took(240), took(4_200)), ("240 ms".to_owned(), "00:04".to_owned()));
        let now = Moment(1_795_352_095_120);
        assert_eq!(when(now, &now.plus_ms(4_000).rfc3339()), "in 4 s");
        assert_eq!(when(now, &now.plus_ms(3_001).rfc3339()), "in 4 s");
        assert_eq!(when(now, &now.plus_ms(90_000).rfc3339()), "in 01:30");
        assert_eq!(when(Moment(DAY - 1_000), &Moment(DAY + 1_000).rfc3339()), "in 2 s");
        assert_eq!(when(now, "soon"), "at soon");
    }
}
