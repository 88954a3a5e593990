//! `dicast stats`: what each agent did at each stage, over every run that the evidence keeps.
//!
//! It must not know how it is counted.

use super::super::ask::Desk;
use super::super::out::{Done, table};
use super::evidences::chosen;
use super::{Context, READING};
use crate::actors::evidence;
use crate::domain::budget::{dollars, tokens};
use crate::domain::consensus::Verdict;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::journal::summary::RunSummary;
use crate::domain::journal::{FileRef, Record};
use crate::domain::moment::clock;
use crate::domain::stage::Stage;
use crate::domain::stats::{Stats, Work};

/// Counts every run, or those of one spec. A run that cannot be read is left out, and that is said.
///
/// # Errors
/// Usage for an unknown spec; when the evidence cannot be read at all.
pub(super) fn stats(context: &Context, spec: Option<&str>) -> Result<Done, Failure> {
    let spec = chosen(context, spec)?;
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let (mut stats, mut notes) = (Stats::default(), Vec::new());
    for run in desk.ask(READING, "reading the runs", evidence.runs(spec, desk.token()))? {
        let read = match &run.damage {
            Some(damage) => Err(damage.clone()),
            None => count(&desk, &evidence, &run, &mut stats),
        };
        if let Err(why) = read {
            notes.push(format!("run {} of {} is left out: {why}", run.run, run.spec));
        }
        if crate::cli::ask::signalled().is_some() {
            return Err(Failure::Cancelled);
        }
    }
    let text = match context.global.json {
        true => Done::json(stats.work.iter().map(|(of, work)| json(of, work)).collect::<String>()),
        false => Done::lines(lines(&stats)),
    };
    Ok(Done { notes, ..text })
}

/// Counts one run, or says why it cannot be read.
fn count(desk: &Desk, evidence: &evidence::Handle, run: &RunSummary, stats: &mut Stats) -> Result<(), String> {
    let told = |failure: Failure| failure.to_string();
    let reply = evidence.records(run.spec.clone(), run.run.clone(), desk.token());
    let entries = desk.ask(READING, "reading a journal", reply).map_err(told)?;
    let mut verdicts = Vec::new();
    for file in last_verdicts(entries.iter().map(|(_, record)| record)) {
        let reply = evidence.read(run.spec.clone(), run.run.clone(), file.clone(), desk.token());
        let text = desk.ask(READING, "reading a verdict", reply).map_err(told)?;
        verdicts.push(serde_json::from_str::<Verdict>(&text).map_err(|error| format!("{}: {error}", file.path))?);
    }
    stats.add(entries.iter().map(|(_, record)| record), &verdicts);
    Ok(())
}

/// Returns the verdict that each stage ended with.
fn last_verdicts<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<&'r FileRef> {
    let mut last: Vec<(Stage, &FileRef)> = Vec::new();
    for record in records {
        if let Record::StageDecided { stage, verdict, .. } = record {
            last.retain(|(before, _)| before != stage);
            last.push((*stage, verdict));
        }
    }
    last.into_iter().map(|(_, verdict)| verdict).collect()
}

fn json((agent, stage): &(AgentName, Stage), work: &Work) -> String {
    let value = serde_json::json!({
        "schema": "dicast.stats/1", "agent": agent, "stage": stage, "runs": work.runs, "scripted": work.scripted,
        "ok": work.ok, "failed": work.failed,
        "took_ms": {"p50": work.took_ms(50), "p90": work.took_ms(90)},
        "tokens": {"input": work.used.input_tokens, "cached": work.used.cached_tokens, "output": work.used.output_tokens},
        "cost_micro_usd": work.used.cost_micro_usd, "struck": work.struck, "voted": work.voted, "won": work.won,
    });
    format!("{value}\n")
}

fn lines(stats: &Stats) -> String {
    if stats.work.is_empty() {
        return "no run is kept here: `dicast plan SPEC` makes the first\n".to_owned();
    }
    let heads = ["agent", "stage", "runs", "ok", "failed", "p50", "p90", "tokens", "cost", "false", "won"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(stats.work.iter().map(row));
    let runs = if stats.runs == 1 { "1 run".to_owned() } else { format!("{} runs", stats.runs) };
    format!("{}\n{runs}; false: words that the host looked up or ran; won: votes on decided claims\n", table(&rows))
}

fn row(((agent, stage), work): (&(AgentName, Stage), &Work)) -> Vec<String> {
    let none = || "–".to_owned();
    let time = |percent| work.took_ms(percent).map_or_else(none, clock);
    let used = work.used.input_tokens.saturating_add(work.used.output_tokens);
    let kinds: Vec<String> = work.failed.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    vec![
        if work.scripted { format!("{agent} SCRIPTED") } else { agent.to_string() },
        stage.to_string(),
        work.runs.to_string(),
        work.ok.to_string(),
        if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") },
        time(50),
        time(90),
        if used == 0 { none() } else { tokens(used) },
        work.used.cost_micro_usd.map_or_else(none, dollars),
        work.struck.to_string(),
        if work.voted == 0 { none() } else { format!("{} of {}", work.won, work.voted) },
    ]
}
