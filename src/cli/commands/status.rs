//! `dicast status`: what is recorded for each spec, what still holds, and what the rules find today.

use std::collections::BTreeMap;

use super::super::ask::Desk;
use super::super::check::summary;
use super::super::out::{Done, table};
use super::present::Present;
use super::progress::{Recorded, beside_code, elsewhere, hold_against_code, left_out, next};
use super::{Context, READING, place, record, survey};
use crate::actors::evidence;
use crate::domain::check::{Report, Tally};
use crate::domain::consensus::Verdict;
use crate::domain::draft::is_blank;
use crate::domain::failure::Failure;
use crate::domain::journal::sizes::{Amount, megabytes};
use crate::domain::spec::{Folder, Spec};
use crate::domain::stage::Stage;

/// Requests that are under way at once: fewer than a mailbox holds.
const WINDOW: usize = 64;

/// What is known of a spec without reading its code.
struct Line<'f> {
    folder: &'f Folder,
    /// Nothing where the spec cannot be read.
    title: Option<String>,
    standings: Vec<Recorded>,
    /// Dissents that stand open; nothing where the ledger cannot be read.
    dissent: Option<usize>,
    /// Whether a text is proposed for it that waits for a person.
    is_proposed: bool,
    /// Whether its requirements are a template's placeholders.
    is_blank: bool,
    /// What its evidence takes; nothing where there is none, or it cannot be read.
    evidence: Option<Amount>,
}

/// Shows every spec, or one at length. Stale and old verdicts are marked; the exit code is 0. Of many specs only what is
/// recorded is read: what the rules find today is asked of one, or of `check`.
///
/// # Errors
/// When the repository cannot be read.
pub(super) fn status(context: &Context, given: Option<&str>, stale_hours: Option<u64>) -> Result<Done, Failure> {
    let folders = match given {
        Some(given) => vec![place::spec(context, Some(given))?],
        None => place::folders(context)?,
    };
    let only = folders.first().filter(|_| given.is_some());
    let report = only.map(|folder| survey::report(context, Some(folder.id.as_str()), None)).transpose()?;
    let (present, desk, mut notes) = (Present::new(context, None), Desk::open()?, Vec::new());
    let evidence = match context.evidence(&desk) {
        Ok(evidence) => Some(evidence),
        Err(failure) => {
            notes.push(format!("warning: the evidence cannot be read: {failure}"));
            None
        }
    };
    let of = || only.map(|folder| folder.id.clone());
    // Measured while the verdicts are read.
    let measuring = evidence.as_ref().map(|evidence| evidence.sizes(of(), desk.token()));
    let reads = read_all(context, &present, &folders, stale_hours)?;
    let sizes = match measuring {
        Some(measuring) => desk.ask(READING, "measuring the evidence", measuring)?.specs,
        None => BTreeMap::new(),
    };
    let dissents = dissents(evidence.as_ref().map(|evidence| (&desk, evidence)), &folders, &reads);
    let mut lines = Vec::new();
    for ((folder, Read { standings, spec, is_proposed }), dissent) in folders.iter().zip(reads).zip(dissents) {
        let evidence = sizes.get(&folder.id).map(|of| of.all);
        let is_blank = spec.as_ref().is_some_and(is_blank);
        let title = spec.map(|spec| spec.title);
        lines.push(Line { folder, title, standings, dissent, is_proposed, is_blank, evidence });
    }
    let mut done = match (lines.as_slice(), report.as_deref()) {
        (lines, report) if context.global.json => {
            Done::json(lines.iter().map(|line| format!("{}\n", json(line, report))).collect::<String>())
        }
        ([], _) => Done::lines("no specs here: write one as specs/001-name/spec.md\n"),
        ([line], Some(report)) => Done::lines(at_length(line, report)),
        (lines, _) => Done::lines(in_short(lines)),
    };
    done.notes = notes;
    Ok(done)
}

/// What the files of one spec say.
struct Read {
    standings: Vec<Recorded>,
    /// The spec; nothing where it cannot be read.
    spec: Option<Spec>,
    /// Whether a text is proposed for it that waits for a person.
    is_proposed: bool,
}

impl Line<'_> {
    /// Returns the stage that is next: before anybody plans it, what would be planned is written.
    fn next(&self) -> Option<Stage> {
        let next = next(&self.standings);
        let is_drafted_first = next == Some(Stage::Plan) && (self.is_proposed || self.is_blank);
        if is_drafted_first { Some(Stage::Specify) } else { next }
    }
}

/// Reads the specs and what is recorded for them: those beside each other, and beside them the code, if any verdict is
/// bound to it. Verdicts are parsed and hashed, which takes the time.
///
/// # Errors
/// When a document or the code cannot be read.
fn read_all(
    context: &Context,
    present: &Present<'_>,
    folders: &[Folder],
    stale_hours: Option<u64>,
) -> Result<Vec<Read>, Failure> {
    let read = |folder: &Folder| {
        let standings = beside_code(context, present, folder, stale_hours)?;
        let store = context.store();
        Ok(Read {
            standings,
            spec: record::spec(&store, folder).ok(),
            is_proposed: record::is_proposed(&store, folder),
        })
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = folders.len().div_ceil(cores).max(1);
    let parts = std::thread::scope(|scope| {
        let read = &read;
        let workers: Vec<_> = folders
            .chunks(share)
            .map(|some| scope.spawn(move || some.iter().map(read).collect::<Result<Vec<Read>, Failure>>()))
            .collect();
        if folders.iter().any(|folder| record::is_bound_to_code(&context.store(), folder)) {
            // What is wrong with it is told where it is compared.
            drop(present.tree());
        }
        let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|part| part.unwrap_or_else(|_| Err(Failure::ActorGone { actor: "reading verdicts".into() })))
            .collect()
    });
    let parts: Vec<Result<Vec<Read>, Failure>> = parts;
    let mut all: Vec<Read> = parts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    for read in &mut all {
        hold_against_code(&mut read.standings, present)?;
    }
    Ok(all)
}

/// Counts the dissents of each spec that stand open. One whose spec or ledger cannot be read has a number that nobody knows:
/// `dissent` says why.
fn dissents(evidence: Option<(&Desk, &evidence::Handle)>, folders: &[Folder], reads: &[Read]) -> Vec<Option<usize>> {
    let all: Vec<(&Folder, &Read, Vec<Verdict>)> =
        folders.iter().zip(reads).map(|(folder, read)| (folder, read, verdicts(&read.standings))).collect();
    let Some((desk, evidence)) = evidence else { return vec![None; all.len()] };
    let mut counts = Vec::new();
    // Asked some at a time, and waited for together.
    for some in all.chunks(WINDOW) {
        let asked: Vec<_> = some
            .iter()
            .map(|(folder, _, verdicts)| {
                (!verdicts.is_empty()).then(|| evidence.read_ledger(folder.id.clone(), desk.token()))
            })
            .collect();
        for (reply, (_, read, verdicts)) in asked.into_iter().zip(some) {
            let Some(reply) = reply else {
                counts.push(Some(0));
                continue;
            };
            let entries = desk.ask(READING, "reading the ledger", reply).ok();
            let ledger =
                entries.zip(read.spec.as_ref()).map(|(entries, spec)| record::ledger_with(&entries, spec, verdicts));
            counts.push(ledger.map(|ledger| ledger.standing().count()));
        }
    }
    counts
}

/// Returns the verdicts that can be read.
fn verdicts(standings: &[Recorded]) -> Vec<Verdict> {
    let readable = |recorded: &Recorded| match recorded {
        Recorded::Read(standing) => Some(standing.verdict.clone()),
        Recorded::Unreadable { .. } => None,
    };
    standings.iter().filter_map(readable).collect()
}

fn mark(recorded: &Recorded) -> String {
    let Recorded::Read(standing) = recorded else { return "unreadable".to_owned() };
    let name = standing.verdict.status.name();
    match (&standing.changed, standing.is_old) {
        (Some(_), _) => format!("{name} STALE"),
        (None, true) => format!("{name} OLD"),
        (None, false) => name.to_owned(),
    }
}

fn in_short(lines: &[Line<'_>]) -> String {
    let heads = ["SPEC", "PLAN", "TASKS", "IMPLEMENT", "VALIDATE", "AUDIT", "UNLOCK", "DISSENT", "EVIDENCE"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    // Told only where there is one: it is not one of the six.
    let tells_proposals = lines.iter().any(|line| line.is_proposed);
    rows[0].extend(tells_proposals.then(|| "PROPOSAL".to_owned()));
    for Line { folder, standings, dissent, evidence, is_proposed, .. } in lines {
        let left_out = left_out(standings);
        let nothing = |stage| match elsewhere(standings) {
            _ if left_out.contains_key(&stage) => "left out".to_owned(),
            Some(_) if stage == Stage::Implement => "elsewhere".to_owned(),
            Some(_) | None => "-".to_owned(),
        };
        let of = |stage| standings.iter().find(|s| s.stage() == stage).map_or_else(|| nothing(stage), mark);
        let stages = Stage::ALL.into_iter().map(of);
        let dissent = match dissent {
            None => "unreadable".to_owned(),
            Some(0) => "-".to_owned(),
            Some(open) => format!("{open} open"),
        };
        let evidence = evidence.map_or_else(|| "-".to_owned(), |amount| megabytes(amount.bytes));
        let proposal = tells_proposals.then(|| if *is_proposed { "waits" } else { "-" }.to_owned());
        let rest = [dissent, evidence].into_iter().chain(proposal);
        rows.push(std::iter::once(folder.id.to_string()).chain(stages).chain(rest).collect());
    }
    table(&rows)
}

fn at_length(line: &Line<'_>, report: &Report) -> String {
    let (folder, standings) = (line.folder, line.standings.as_slice());
    let mut rows = Vec::new();
    for recorded in standings {
        let standing = match recorded {
            Recorded::Read(standing) => standing,
            Recorded::Unreadable { stage, why } => {
                rows.push(vec![format!("  {stage}"), mark(recorded), "-".into(), String::new(), why.clone()]);
                continue;
            }
        };
        let verdict = &standing.verdict;
        let why = standing.changed.clone().unwrap_or_else(|| verdict.why());
        let at = verdict.recorded_at.clone().unwrap_or_default();
        rows.push(vec![format!("  {}", verdict.stage), mark(recorded), format!("exit {}", verdict.exit), at, why]);
    }
    if let Some(ends) = elsewhere(standings) {
        let row = ["  implement", "elsewhere", "-", ""].map(str::to_owned).into_iter();
        let at = standings.iter().filter(|recorded| recorded.stage() < Stage::Implement).count();
        rows.insert(at, row.chain([format!("commits {}, audited here", ends.short())]).collect());
    }
    for (stage, reason) in left_out(standings) {
        let row = [format!("  {stage}"), "left out".to_owned(), "-".to_owned(), String::new(), reason];
        let at = standings.iter().filter(|recorded| recorded.stage() < stage).count();
        rows.insert(at.min(rows.len()), row.to_vec());
    }
    let seen = report.specs.first();
    let mut out = format!("{}  {}\n", folder.id, line.title.as_deref().unwrap_or_default());
    match seen {
        Some(seen) => out.push_str(&format!("  {}\n", summary(seen))),
        None => {
            for finding in report.of(&folder.id) {
                out.push_str(&format!("  {}: {}\n", finding.place.file, finding.message));
            }
        }
    }
    match rows.is_empty() {
        true => out.push_str("  no verdict is recorded yet\n"),
        false => out.push_str(&table(&rows)),
    }
    let found = match seen {
        Some(_) => Tally::of(report.of(&folder.id)).words(),
        None => "cannot be read".to_owned(),
    };
    out.push_str(&format!("  {found}: see `dicast check {}`\n", folder.id));
    if let Some(open) = line.dissent.filter(|open| *open > 0) {
        let several = if open == 1 { "dissent stands" } else { "dissents stand" };
        out.push_str(&format!("  {open} {several} open: see `dicast dissent {}`\n", folder.id));
    }
    if let Some(amount) = line.evidence {
        out.push_str(&format!("  evidence: {} in {} files\n", megabytes(amount.bytes), amount.files));
    }
    if line.is_proposed {
        out.push_str(&format!("  a proposal waits: read {}\n", folder.proposal_path()));
    }
    if let Some(next) = line.next() {
        let apply = if line.is_proposed { " --apply" } else { "" };
        out.push_str(&format!("  next: dicast {next} {}{apply}\n", folder.id));
    }
    out
}

fn json(line: &Line<'_>, report: Option<&Report>) -> serde_json::Value {
    let Line { folder, title, standings, dissent, evidence, is_proposed, .. } = line;
    let findings = report.filter(|report| !report.specs.is_empty()).map(|report| report.of(&folder.id).count());
    let verdicts: Vec<serde_json::Value> = standings
        .iter()
        .map(|recorded| {
            let standing = match recorded {
                Recorded::Read(standing) => standing,
                Recorded::Unreadable { stage, why } => {
                    return serde_json::json!({"stage": stage, "status": "unreadable", "current": false, "why": why});
                }
            };
            let verdict = &standing.verdict;
            serde_json::json!({
                "stage": verdict.stage, "status": verdict.status, "exit": verdict.exit, "hash": verdict.hash,
                "recorded_at": verdict.recorded_at, "current": standing.changed.is_none(),
                "changed": standing.changed, "old": standing.is_old,
            })
        })
        .collect();
    serde_json::json!({
        "schema": "dicast.status/1", "spec_id": folder.id, "dir": folder.dir,
        "title": title, "next": line.next(), "proposed": is_proposed, "dissent": dissent, "evidence": evidence, "findings": findings,
        "verdicts": verdicts, "elsewhere": elsewhere(standings).map(|range| serde_json::json!({"implement": range})),
        "left_out": left_out(standings),
    })
}
