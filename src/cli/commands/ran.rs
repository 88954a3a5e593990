//! What runs came to, for CI: every stage that they decided, and why one ended without a verdict.
//!
//! It must not run anything.

use std::sync::Arc;

use super::super::out::Done;
use super::super::ruled::{Ended, OfSpec, Ruled, annotations, junit, sarif};
use super::output::{Format, Outputs};
use super::{Context, record, report};
use crate::app::outcome::Outcome;
use crate::domain::consensus::{Call, Verdict};
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::domain::report::{Case, Mark, Page, markdown, page};
use crate::domain::spec::{Folder, Spec};

/// The exit code from which on a signal or a person stopped the run.
const STOPPED: u8 = 128;

/// A run of a spec; nothing where nothing was left to run.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    /// The spec's folder.
    pub folder: Folder,
    /// How it ended.
    pub outcome: Option<Arc<Outcome>>,
}

/// A run with what is told of it.
struct Told<'r> {
    ran: &'r Ran,
    spec: Option<Spec>,
    verdicts: Vec<&'r Verdict>,
    ended: Option<Ended>,
    /// Whether every verdict is a pass and the run is none: a dissent is open.
    has_dissent: bool,
    page: Page,
}

/// Writes what runs came to where it was asked for; `name` is the command's.
///
/// # Errors
/// When a file cannot be written, or a ledger cannot be read.
pub(super) fn write(context: &Context, outputs: &Outputs<'_>, runs: &[Ran], done: &mut Done) -> Result<(), Failure> {
    if outputs.is_empty() {
        return Ok(());
    }
    let redactor = crate::shell::hands::redactor(&context.loaded()?.settings);
    let told: Vec<Told<'_>> = runs.iter().map(|ran| tell(context, ran)).collect::<Result<_, _>>()?;
    let specs: Vec<OfSpec<'_>> = told.iter().map(|told| told.of_spec(&redactor)).collect();
    outputs.annotate(done, &annotations(&specs));
    outputs.write(done, |format| match format {
        Format::Junit => junit("dicast", &specs),
        Format::Sarif => sarif(&specs),
        Format::Md => told.iter().map(|told| markdown(&told.page, &redactor)).collect::<Vec<_>>().join("\n"),
    })
}

fn tell<'r>(context: &Context, ran: &'r Ran) -> Result<Told<'r>, Failure> {
    let folder = &ran.folder;
    let verdicts: Vec<&Verdict> =
        ran.outcome.iter().flat_map(|outcome| outcome.verdicts.values()).map(|judgement| &*judgement.verdict).collect();
    let ended = ran.outcome.as_deref().and_then(ended);
    let has_dissent = ran.outcome.as_deref().is_some_and(|outcome| outcome.exit != 0)
        && ended.is_none()
        && verdicts.iter().all(|verdict| verdict.exit == 0);
    // A spec that cannot be read is why the run ended: that is what is told.
    let spec = record::spec(&context.store(), folder).ok();
    let at = context.now;
    let mut page = match &spec {
        Some(spec) => {
            let stages = verdicts.iter().map(|verdict| report::of_stage(context, folder, Some(spec), verdict, None));
            let stages = stages.collect::<Result<_, _>>()?;
            let recorded: Vec<Verdict> = verdicts.iter().map(|verdict| (*verdict).clone()).collect();
            let ledger = record::ledger_of(context, folder, spec, &recorded)?;
            page(&Case { spec, stages, ledger: &ledger, at })
        }
        None => Page {
            title: folder.id.to_string(),
            about: format!("{} · report of {}", folder.id, at.rfc3339()),
            mark: Mark::Call(Call::Stop),
            sentence: String::new(),
            sections: Vec::new(),
        },
    };
    if let Some(ended) = &ended {
        page.mark = Mark::Call(Call::Stop);
        page.sentence = format!("{}; next: {}", ended.why, ended.next);
    } else if ran.outcome.is_none() {
        page.sentence = "nothing was left to run".to_owned();
    }
    Ok(Told { ran, spec, verdicts, ended, has_dissent, page })
}

/// Returns why a run ended without a verdict, if it did.
fn ended(outcome: &Outcome) -> Option<Ended> {
    let exit = outcome.exit;
    if let Some(failure) = &outcome.failure {
        return Some(Ended { exit, why: failure.to_string(), next: failure.hint() });
    }
    let next = "run the same command again: finished answers are kept".to_owned();
    (exit >= STOPPED).then(|| Ended { exit, why: "it was stopped".to_owned(), next })
}

impl Told<'_> {
    fn of_spec<'t>(&'t self, redactor: &'t Redactor) -> OfSpec<'t> {
        let last = self.verdicts.len().saturating_sub(1);
        let ruled = |(at, verdict): (usize, &&'t Verdict)| {
            let is_dissent = self.has_dissent && at == last;
            let exit = if is_dissent { record::DISSENT } else { verdict.exit };
            Ruled { verdict, exit, besides: is_dissent.then_some("a dissent is open") }
        };
        let file = self.spec.as_ref().map(|spec| spec.file.as_str());
        OfSpec {
            id: &self.ran.folder.id,
            file: file.or(self.ran.folder.documents.first().map(String::as_str)).unwrap_or(&self.ran.folder.dir),
            spec: self.spec.as_ref(),
            stages: self.verdicts.iter().enumerate().map(ruled).collect(),
            ended: self.ended.as_ref(),
            redactor,
        }
    }
}
