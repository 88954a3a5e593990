//! `dicast dissent`: the losing assertions of recorded verdicts, open and closed, and what a human decides about them.

use std::collections::BTreeSet;

use super::super::args::Dissent as Asked;
use super::super::out::{Done, table};
use super::{Context, place, record, run};
use crate::app::msg::{Choice, Decide, Request};
use crate::domain::claim::Severity;
use crate::domain::consensus::{Judged, ReasonCode, Verdict};
use crate::domain::dissent::{self, Condition, Ledger, Parted, short, side};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;

/// Lists dissent, or records a decision about one.
///
/// # Errors
/// Exit 10 when nothing is recorded, 64 when no single claim has that key.
pub(super) fn dissent(context: &Context, asked: &Asked) -> Result<Done, Failure> {
    let folder = place::spec(context, asked.spec.as_deref())?;
    let asked_stage = asked.stage.as_deref().map(stage_called).transpose()?;
    let (verdicts, unreadable) = match asked_stage {
        // It is before the six, and nothing of it is carried on: it is looked at when it is named.
        Some(Stage::Specify) => (vec![record::recorded(&context.store(), &folder, Stage::Specify)?], Vec::new()),
        Some(_) | None => record::verdicts(&context.store(), &folder),
    };
    let deciding = [
        (&asked.accept, Choice::Accept),
        (&asked.waive, Choice::Waive),
        (&asked.reject, Choice::Reject),
        (&asked.split, Choice::Split),
        (&asked.undo, Choice::Undo),
    ];
    let decided = deciding.into_iter().find_map(|(key, choice)| key.as_deref().map(|key| (key, choice)));
    let Some((key, choice)) = decided else {
        return list(context, &folder, &verdicts, &unreadable);
    };
    let verdicts: Vec<Verdict> =
        verdicts.into_iter().filter(|verdict| asked_stage.is_none_or(|stage| verdict.stage == stage)).collect();
    // A key that is nowhere to be found may stand in the file that cannot be read: that is to be mended first.
    let bad = unreadable.into_iter().find(|(stage, _)| asked_stage.is_none_or(|asked| asked == *stage));
    let is_known =
        verdicts.iter().flat_map(|verdict| keys(verdict, &choice)).any(|known| known.as_str().starts_with(key));
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
    Stage::named(word).map_err(|unknown| Failure::usage("--stage", unknown.to_string(), "give one of these"))
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
            folder.own.as_str(),
            "no verdict is recorded",
            format!("run `dicast plan {}`", folder.id),
        ));
    }
    if given.len() < 4 || !given.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::usage("KEY", format!("{shown:?} is no key, nor the start of one"), next));
    }
    let given = given.to_ascii_lowercase();
    let mut found: Vec<(&Verdict, &Sha)> = Vec::new();
    let mut names: BTreeSet<&Sha> = BTreeSet::new();
    for verdict in verdicts {
        let own: BTreeSet<&Sha> =
            keys(verdict, choice).into_iter().filter(|key| key.as_str().starts_with(&given)).collect();
        // A dissent of an earlier stage goes by its own key; here it is held in the answer to the topic that asks it.
        let asks = verdict.claims.iter().filter(|claim| own.is_empty() && dissent::asks_about(claim, &given));
        found.extend(own.iter().copied().chain(asks.map(|claim| &claim.key)).map(|key| (verdict, key)));
        names.extend(own);
    }
    let Some((last, key)) = found.last() else {
        let what = if *choice == Choice::Split { "no recorded claim was merged with" } else { "no recorded claim has" };
        return Err(Failure::usage("KEY", format!("{what} the key {shown:?}"), next));
    };
    if names.len() > 1 {
        return Err(Failure::usage("KEY", format!("{shown:?} is the start of several keys"), next));
    }
    let is_any = matches!(choice, Choice::Undo | Choice::Split);
    let counts = |verdict: &Verdict, key: &Sha| is_any || is_open(verdict, key);
    let meant: Vec<&(&Verdict, &Sha)> = found.iter().filter(|(verdict, key)| counts(verdict, key)).collect();
    match meant.as_slice() {
        [] => Ok((last.stage, (*key).clone())),
        [(one, key)] => Ok((one.stage, (*key).clone())),
        several => {
            let names: Vec<&str> = several.iter().map(|(verdict, _)| verdict.stage.name()).collect();
            let is = if is_any { "stands" } else { "is open" };
            let why = format!("{shown:?} {is} in several stages: {}", names.join(", "));
            Err(Failure::usage("KEY", why, format!("say which: --stage {}", names.join("|"))))
        }
    }
}

/// Returns the keys of a verdict that a decision may name.
fn keys<'v>(verdict: &'v Verdict, choice: &Choice) -> Vec<&'v Sha> {
    let of_claims = verdict.claims.iter().map(|claim| &claim.key);
    // A must-requirement that nobody covers has a key in the reasons, and no claim.
    let of_reasons = verdict.reasons.iter().flat_map(|reason| &reason.claims);
    let merged = verdict.claims.iter().filter(|claim| !claim.merged_from.is_empty());
    let of_texts =
        merged.flat_map(|claim| std::iter::once(&claim.key).chain(claim.merged_from.iter().map(|merged| &merged.key)));
    match choice {
        Choice::Split => of_texts.collect(),
        Choice::Undo => of_claims.chain(of_reasons).chain(of_texts).collect(),
        Choice::Waive | Choice::Take { .. } | Choice::Reject | Choice::Accept => of_claims.chain(of_reasons).collect(),
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
        done.exit = record::DISSENT;
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
            "because": dissent.grounds.because, "cited": dissent.grounds.cited, "chosen": dissent.chosen,
            "upheld": dissent.upheld, "verdict": dissent.verdict, "open": is_open, "closed": dissent.closed,
            "topic": dissent.topic_on_agenda(), "closes": is_open.then(|| dissent.closes()),
            "next": is_open.then(|| waive(folder, dissent)),
        }));
    }
    for Condition { key, text, stage, is_accepted, signed } in &ledger.conditions {
        lines.push(serde_json::json!({
            "schema": "dicast.condition/1", "spec_id": folder.id, "stage": stage, "key": key, "condition": text,
            "accepted": is_accepted, "signed": signed,
        }));
    }
    for Parted { stage, pair, texts, signed } in &ledger.splits {
        lines.push(serde_json::json!({
            "schema": "dicast.split/1", "spec_id": folder.id, "stage": stage, "key": pair.0, "from": pair.1,
            "texts": texts, "signed": signed,
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

fn text(folder: &Folder, ledger: &Ledger, verdicts: &[Verdict]) -> String {
    let (open, closed): (Vec<_>, Vec<_>) = ledger.dissents.iter().partition(|dissent| dissent.closed.is_none());
    let mut out = match open.len() {
        0 => format!("no dissent of {} is open\n", folder.id),
        n => format!("{n} open\n"),
    };
    for dissent in &open {
        out.push_str(&format!(
            "  {}  {}, since {}: {}\n",
            short(&dissent.key),
            dissent.claim,
            dissent.opened,
            dissent.line()
        ));
        out.push_str(&told(dissent.at_length()));
    }
    if !closed.is_empty() {
        out.push_str(&format!("{} closed\n", closed.len()));
    }
    let rows = closed.iter().map(|dissent| {
        let held = format!("{} held {}", dissent.agent, side(&dissent.said));
        let since = format!("since {}", dissent.opened);
        vec![format!("  {}", short(&dissent.key)), since, dissent.claim.clone(), held, dissent.state()]
    });
    out.push_str(&table(&rows.collect::<Vec<_>>()));
    let rows = ledger.conditions.iter().map(|condition| {
        vec![format!("  {}", short(&condition.key)), "condition".to_owned(), condition.text.clone(), condition.state()]
    });
    let splits = ledger
        .splits
        .iter()
        .map(|parted| vec![format!("  {}", short(&parted.pair.0)), "split".to_owned(), parted.line(), parted.state()]);
    out.push_str(&table(&rows.chain(splits).collect::<Vec<_>>()));
    let remarks = remarks(verdicts).count();
    if remarks > 0 {
        let several = if remarks == 1 { "claim" } else { "claims" };
        out.push_str(&format!(
            "{remarks} {several} of severity info besides, which decide nothing (--json lists them)\n"
        ));
    }
    if !open.is_empty() || verdicts.iter().any(|verdict| !verdict.is_advancing()) {
        let spec = &folder.id;
        out.push_str(&format!(
            "\ndecide one with: dicast dissent {spec} --waive|--reject|--accept|--split KEY --by WHO --reason T [--stage STAGE]\n\
             take it back with: dicast dissent {spec} --undo KEY --by WHO --reason T\n"
        ));
    }
    out
}

/// Writes what is told at length, indented.
fn told(lines: Vec<dissent::Line>) -> String {
    let own = |(name, _): &dissent::Line| !matches!(*name, "held" | "state" | "key");
    lines.into_iter().filter(own).map(|(name, words)| format!("      {name:<9}  {words}\n")).collect()
}
