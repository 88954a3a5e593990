//! `dicast dissent`: the losing assertions of recorded verdicts, open and closed, and what a human decides about them.

use super::super::args::Dissent as Asked;
use super::super::out::{Done, table};
use super::{Context, place, record, run};
use crate::app::msg::{Choice, Decide, Request};
use crate::domain::claim::Severity;
use crate::domain::consensus::{Judged, ReasonCode, Verdict};
use crate::domain::dissent::{self, Ledger, side};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;

/// Digits of a key that tell claims of one spec apart on screen.
const SHORT: usize = 12;

/// Lists dissent, or records a decision about one.
///
/// # Errors
/// Exit 10 when nothing is recorded, 64 when no single claim has that key.
pub(super) fn dissent(context: &Context, asked: &Asked) -> Result<Done, Failure> {
    let folder = place::spec(context, asked.spec.as_deref())?;
    let (verdicts, unreadable) = record::verdicts(&context.store(), &folder);
    let deciding = [
        (&asked.accept, Choice::Accept),
        (&asked.waive, Choice::Waive),
        (&asked.reject, Choice::Reject),
        (&asked.undo, Choice::Undo),
    ];
    let decided = deciding.into_iter().find_map(|(key, choice)| key.as_deref().map(|key| (key, choice)));
    let Some((key, choice)) = decided else {
        return list(context, &folder, &verdicts, &unreadable);
    };
    let asked_stage = asked.stage.as_deref().map(stage_called).transpose()?;
    let verdicts: Vec<Verdict> =
        verdicts.into_iter().filter(|verdict| asked_stage.is_none_or(|stage| verdict.stage == stage)).collect();
    // A key that is nowhere to be found may stand in the file that cannot be read: that is to be mended first.
    let bad = unreadable.into_iter().find(|(stage, _)| asked_stage.is_none_or(|asked| asked == *stage));
    let is_known = verdicts.iter().flat_map(|verdict| &verdict.claims).any(|claim| claim.key.as_str().starts_with(key));
    let (stage, key) = match named(&folder, &verdicts, key, &choice) {
        Ok(found) => found,
        Err(failure) if is_known => return Err(failure),
        Err(failure) => return Err(bad.map_or(failure, |(_, bad)| bad)),
    };
    let (by, reason) = (said(asked.by.as_deref(), "--by")?, said(asked.reason.as_deref(), "--reason")?);
    let decide = Decide { spec: folder.id, stage, claim: key.to_string(), choice, by, reason };
    run::requests(context, vec![Request::Decide(decide)])
}

fn stage_called(word: &str) -> Result<Stage, Failure> {
    word.parse::<Stage>().map_err(|unknown| Failure::usage("--stage", unknown.to_string(), "give one of these"))
}

fn said(given: Option<&str>, flag: &str) -> Result<String, Failure> {
    match given.map(str::trim) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err(Failure::usage(flag, "it is empty", "the record says who decided, and why")),
    }
}

/// Returns the one claim that a key, or the start of one, means, and its stage: the one where it is open; where it is
/// open nowhere, the last that has it, so that a decision can be changed. What is taken back was decided: then it is
/// the one stage that has it.
fn named(folder: &Folder, verdicts: &[Verdict], given: &str, choice: &Choice) -> Result<(Stage, Sha), Failure> {
    let shown: String = given.chars().take(80).collect();
    let next = format!("run `dicast dissent {}` to see the keys", folder.id);
    if verdicts.is_empty() {
        return Err(Failure::needs_input(
            folder.dir.as_str(),
            "no verdict is recorded",
            format!("run `dicast plan {}`", folder.id),
        ));
    }
    if given.len() < 4 || !given.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::usage("KEY", format!("{shown:?} is no key, nor the start of one"), next));
    }
    let given = given.to_ascii_lowercase();
    let mut found: Vec<(&Verdict, &Sha)> = Vec::new();
    for verdict in verdicts {
        // A must-requirement that nobody covers has a key in the reasons, and no claim.
        let of_reasons = verdict.reasons.iter().flat_map(|reason| &reason.claims);
        let mut keys: Vec<&Sha> = verdict.claims.iter().map(|claim| &claim.key).chain(of_reasons).collect();
        keys.retain(|key| key.as_str().starts_with(&given));
        keys.sort();
        keys.dedup();
        found.extend(keys.into_iter().map(|key| (verdict, key)));
    }
    let Some((last, key)) = found.last() else {
        return Err(Failure::usage("KEY", format!("no recorded claim has the key {shown:?}"), next));
    };
    if found.iter().any(|(_, other)| other != key) {
        return Err(Failure::usage("KEY", format!("{shown:?} is the start of several keys"), next));
    }
    let counts = |verdict: &Verdict, key: &Sha| *choice == Choice::Undo || is_open(verdict, key);
    let meant: Vec<Stage> =
        found.iter().filter(|(verdict, key)| counts(verdict, key)).map(|(verdict, _)| verdict.stage).collect();
    match meant.as_slice() {
        [] => Ok((last.stage, (*key).clone())),
        [one] => Ok((*one, (*key).clone())),
        several => {
            let names: Vec<&str> = several.iter().map(|stage| stage.name()).collect();
            let is = if *choice == Choice::Undo { "stands" } else { "is open" };
            let why = format!("{shown:?} {is} in several stages: {}", names.join(", "));
            Err(Failure::usage("KEY", why, format!("say which: --stage {}", names.join("|"))))
        }
    }
}

/// Tells whether a verdict leaves a claim to somebody: it is a reason for its status or somebody dissents, and no
/// waiver holds.
fn is_open(verdict: &Verdict, key: &Sha) -> bool {
    let is_reason = |of: &dyn Fn(ReasonCode) -> bool| {
        verdict.reasons.iter().any(|reason| of(reason.code) && reason.claims.contains(key))
    };
    let has_dissent = verdict.claims.iter().any(|claim| claim.key == *key && !claim.dissent.is_empty());
    !is_reason(&|code| code == ReasonCode::Waived) && (has_dissent || is_reason(&|code| code.status().is_some()))
}

/// The exit code when a verdict cannot be read: the list is not whole.
const NOT_WHOLE: u8 = 3;

/// The exit code when dissent stands open and that was asked about.
const OPEN: u8 = 1;

fn list(
    context: &Context,
    folder: &Folder,
    verdicts: &[Verdict],
    unreadable: &[(Stage, Failure)],
) -> Result<Done, Failure> {
    let ledger = record::ledger(context, folder, verdicts)?;
    let mut done = match context.global.json {
        true => Done::json(lines_of(folder, &ledger, verdicts)),
        false if verdicts.is_empty() => Done::lines(format!("no verdict of {} is recorded yet\n", folder.id)),
        false => Done::lines(text(folder, &ledger, verdicts)),
    };
    if context.global.fail_on_dissent && ledger.standing().next().is_some() {
        done.exit = OPEN;
    }
    for (_, failure) in unreadable {
        done.notes.push(format!("error: {failure}\n  next: {}", failure.hint()));
        done.exit = NOT_WHOLE;
    }
    Ok(done)
}

/// Returns dissents on claims of severity info: they decide nothing, and are not asked again.
fn remarks(verdicts: &[Verdict]) -> impl Iterator<Item = (Stage, &Judged)> {
    let all = verdicts.iter().flat_map(|verdict| verdict.claims.iter().map(|claim| (verdict.stage, claim)));
    all.filter(|(_, claim)| !claim.dissent.is_empty() && claim.severity == Severity::Info)
}

fn lines_of(folder: &Folder, ledger: &Ledger, verdicts: &[Verdict]) -> String {
    let mut lines: Vec<serde_json::Value> = Vec::new();
    for dissent in &ledger.dissents {
        let is_open = dissent.closed.is_none();
        lines.push(serde_json::json!({
            "schema": "dicast.dissent/1", "spec_id": folder.id, "stage": dissent.opened, "key": dissent.key,
            "claim": dissent.claim, "ask": dissent.ask, "severity": dissent.severity, "decided": dissent.against,
            "dissent": [{"agent": dissent.agent, "value": dissent.said.value, "polarity": dissent.said.polarity,
                         "tier": dissent.tier}],
            "verdict": dissent.verdict, "open": is_open, "closed": dissent.closed,
            "topic": dissent.topic_on_agenda(), "closes": is_open.then(|| dissent.closes()),
            "next": is_open.then(|| waive(folder, dissent)),
        }));
    }
    for (stage, claim) in remarks(verdicts) {
        lines.push(serde_json::json!({
            "schema": "dicast.dissent/1", "spec_id": folder.id, "stage": stage, "key": claim.key,
            "claim": claim.title(), "severity": claim.severity, "dissent": claim.dissent, "open": false,
        }));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The command that closes a dissent by a waiver.
fn waive(folder: &Folder, dissent: &dissent::Dissent) -> String {
    format!("dicast dissent {} --waive {} --by WHO --reason T", folder.id, short(&dissent.key))
}

fn short(key: &Sha) -> String {
    key.as_str().chars().take(SHORT).collect()
}

fn text(folder: &Folder, ledger: &Ledger, verdicts: &[Verdict]) -> String {
    let (open, closed): (Vec<_>, Vec<_>) = ledger.dissents.iter().partition(|dissent| dissent.closed.is_none());
    let mut out = match open.len() {
        0 => format!("no dissent of {} is open\n", folder.id),
        n => format!("{n} open\n"),
    };
    let mut rows = Vec::new();
    for dissent in &open {
        let weight = format!("({}, {})", dissent.severity.name(), dissent.tier.word());
        let says = format!("{}  {} {weight}", dissent.claim, dissent.line());
        rows.push(vec![format!("  {}", short(&dissent.key)), format!("since {}", dissent.opened), says]);
        rows.push(vec![String::new(), String::new(), format!("  {}", dissent.ask)]);
        rows.push(vec![String::new(), String::new(), format!("  closed by: {}", dissent.closes())]);
    }
    out.push_str(&table(&rows));
    if !closed.is_empty() {
        out.push_str(&format!("{} closed\n", closed.len()));
    }
    let rows = closed.iter().filter_map(|dissent| {
        let how = dissent.closed.as_ref()?;
        let ended = format!("closed at {} by {}", how.stage, how.by.words());
        let held = format!("{} held {}", dissent.agent, side(&dissent.said));
        let since = format!("since {}", dissent.opened);
        Some(vec![format!("  {}", short(&dissent.key)), since, dissent.claim.clone(), held, ended])
    });
    out.push_str(&table(&rows.collect::<Vec<_>>()));
    let remarks = remarks(verdicts).count();
    if remarks > 0 {
        let several = if remarks == 1 { "claim" } else { "claims" };
        out.push_str(&format!(
            "{remarks} {several} of severity info besides, which decide nothing (--json lists them)\n"
        ));
    }
    if !ledger.accepted.is_empty() {
        let texts: Vec<&str> = ledger.accepted.iter().map(String::as_str).collect();
        out.push_str(&format!("accepted conditions: {}\n", texts.join("; ")));
    }
    if !open.is_empty() || verdicts.iter().any(|verdict| !verdict.is_advancing()) {
        let spec = &folder.id;
        out.push_str(&format!(
            "\ndecide one with: dicast dissent {spec} --waive|--reject|--accept KEY --by WHO --reason T [--stage STAGE]\n\
             take it back with: dicast dissent {spec} --undo KEY --by WHO --reason T\n"
        ));
    }
    out
}
