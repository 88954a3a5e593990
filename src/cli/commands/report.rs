//! `dicast report`: the report of a spec as a page or as Markdown, from what is recorded.
//!
//! It must not decide anything, nor write anything but the file that was named.

use std::path::Path;

use super::super::args::Format;
use super::super::out::Done;
use super::present::Present;
use super::{Context, place, record};
use crate::disk::text::{needs_folder, write_named_text};
use crate::domain::consensus::Verdict;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::report::{Case, Cited, Kept, Recorded, html, markdown, page};
use crate::domain::spec::{Folder, Spec};
use crate::shell::hands::redactor;

/// The exit code when a verdict cannot be read: the report is not whole.
const NOT_WHOLE: u8 = 3;

/// The exit code of evidence that is not there.
const NONE: u8 = 10;

/// Writes the report of a spec to a file, or to stdout; exits 0 whatever it says, 3 when a verdict cannot be read.
///
/// # Errors
/// Exit 10 when nothing is recorded, 3 when the ledger was altered, 64 for a folder that is not there.
pub(super) fn report(
    context: &Context,
    given: Option<&str>,
    format: Option<Format>,
    out: Option<&Path>,
) -> Result<Done, Failure> {
    // Before the work: whoever mistyped a folder should not wait for it.
    out.map(needs_folder).transpose()?;
    let folder = place::spec(context, given)?;
    let store = context.store();
    let (verdicts, unreadable) = record::verdicts(&store, &folder);
    if verdicts.is_empty() && unreadable.is_empty() {
        let next = format!("run `dicast plan {}`", folder.id);
        return Err(Failure::needs_input(folder.own.as_str(), "no verdict is recorded", next));
    }
    let spec = record::spec(&store, &folder)?;
    let ledger = record::ledger_of(context, &folder, &spec, &verdicts)?;
    let (mut stages, present) = (Vec::new(), Present::new(context, None));
    for verdict in &verdicts {
        let changed = present.changed(&folder, verdict)?;
        stages.push((verdict.stage, of_stage(context, &folder, Some(&spec), verdict, changed)?));
    }
    let exit = if unreadable.is_empty() { 0 } else { NOT_WHOLE };
    stages.extend(
        unreadable.into_iter().map(|(stage, why)| (stage, Recorded::Unreadable { stage, why: why.to_string() })),
    );
    stages.sort_by_key(|(stage, _)| *stage);
    let stages = stages.into_iter().map(|(_, recorded)| recorded).collect();
    let page = page(&Case { spec: &spec, stages, ledger: &ledger, at: context.now });
    let redactor = redactor(&context.loaded()?.settings);
    let (name, text) = match chosen(format, out) {
        Format::Html => ("html", html(&page, &redactor)),
        Format::Md => ("md", markdown(&page, &redactor)),
    };
    if let Some(out) = out {
        write_named_text(out, &text)?;
    }
    let path = out.map(|out| out.display().to_string());
    if context.global.json {
        return Ok(Done::value(&serde_json::json!({
            "schema": "dicast.report/1", "spec_id": folder.id, "format": name, "path": path, "sha256": Sha::of(&text),
            "call": page.mark.words(), "why": redactor.clean(&page.sentence), "text": path.is_none().then_some(text),
        }))
        .with_exit(exit));
    }
    Ok(match path {
        Some(path) => Done { notes: vec![format!("wrote {path}")], exit, ..Done::default() },
        None => Done::lines(text).with_exit(exit),
    })
}

fn chosen(format: Option<Format>, out: Option<&Path>) -> Format {
    let ends_md = || out.and_then(Path::extension).is_some_and(|end| end == "md");
    format.unwrap_or_else(|| if ends_md() { Format::Md } else { Format::Html })
}

/// Gathers what is told of a recorded verdict.
///
/// # Errors
/// When the reading was stopped.
pub(super) fn of_stage<'v>(
    context: &Context,
    folder: &Folder,
    spec: Option<&Spec>,
    verdict: &'v Verdict,
    changed: Option<String>,
) -> Result<Recorded<'v>, Failure> {
    let kept = match record::panel(context, folder, verdict.stage) {
        // Another run decided the stage since, elsewhere: this panel is not what was judged.
        Ok(of_run) if of_run.hash != verdict.hash => Kept::Elsewhere,
        Ok(of_run) => {
            // Topics of another text have other numbers: what was cited for them cannot be told any more.
            let is_same = |spec: &&Spec| verdict.inputs.spec_sha256.as_ref() == Some(&spec.sha);
            let cited = match spec.filter(is_same) {
                Some(spec) => Cited::of(spec, &of_run.panel, &record::answers(context, folder, &of_run)?),
                None => Cited::default(),
            };
            let tried = record::tried(context, folder, &of_run)?.map(Box::new);
            let landing = of_run.landing.map(Box::new);
            Kept::Here { run: of_run.run, panel: Box::new(of_run.panel), cited, tried, landing }
        }
        Err(failure) if failure.exit() == NONE => Kept::Elsewhere,
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Err(failure) => Kept::Broken(failure.to_string()),
    };
    Ok(Recorded::Read { verdict, path: record::verdict_path(folder, verdict.stage), changed, kept })
}
