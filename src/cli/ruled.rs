//! Writes what recorded verdicts came to for CI: JUnit XML, SARIF 2.1.0 and annotations. (Markdown is the report's.)
//!
//! Pure functions from [`OfSpec`]s to text. It must not know where a verdict comes from or where the text goes.

use serde_json::{Value, json};

use super::check::{sarif_log, uri, xml};
use super::github::{Annotation, Level};
use crate::domain::consensus::{Reason, Verdict};
use crate::domain::ids::SpecId;
use crate::domain::redact::Redactor;
use crate::domain::safe::Safe;
use crate::domain::spec::Spec;

/// What a command came to for one spec.
#[derive(Debug, Clone)]
pub struct OfSpec<'v> {
    /// Which.
    pub id: &'v SpecId,
    /// Its document, relative to the repository.
    pub file: &'v str,
    /// The spec as it reads now, if it can be read.
    pub spec: Option<&'v Spec>,
    /// Its verdicts, in the order of stages.
    pub stages: Vec<Ruled<'v>>,
    /// Why the command ended without a verdict, if it did.
    pub ended: Option<&'v Ended>,
    /// Takes secrets out of what is written.
    pub redactor: &'v Redactor,
}

/// A verdict, and what it comes to now.
#[derive(Debug, Clone, Copy)]
pub struct Ruled<'v> {
    /// The verdict.
    pub verdict: &'v Verdict,
    /// The exit code, after what was required of it.
    pub exit: u8,
    /// Why it is no pass although the verdict is one: stale, or not what was required.
    pub besides: Option<&'v str>,
}

/// An end without a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit code.
    pub exit: u8,
    /// Why.
    pub why: String,
    /// The next step.
    pub next: String,
}

/// The rule of what is wrong with a verdict that is a pass by itself.
const BESIDES: (&str, &str) = ("not_accepted", "the verdict is stale, or not what was required");

/// The rule of an end without a verdict.
const ENDED: (&str, &str) = ("not_finished", "it ended before there was a verdict");

/// Something that is wrong: rule, its words, what is said, and the line of the spec that it bears on.
struct Wrong {
    rule: (&'static str, &'static str),
    title: String,
    said: String,
    line: u32,
}

impl OfSpec<'_> {
    fn clean(&self, text: &str) -> String {
        Safe::line(&self.redactor.clean(text)).to_string()
    }

    /// Returns what makes the exit code of a stage.
    fn wrongs_of(&self, ruled: &Ruled<'_>) -> Vec<Wrong> {
        if ruled.exit == 0 {
            return Vec::new();
        }
        let title = || title(ruled.verdict);
        let besides = ruled.besides.map(|why| Wrong { rule: BESIDES, title: title(), said: self.clean(why), line: 1 });
        let is_deciding = |reason: &&Reason| reason.code.status() == Some(ruled.verdict.status);
        let reasons = ruled.verdict.reasons.iter().filter(is_deciding).map(|reason| Wrong {
            rule: (reason.code.name(), reason.code.words()),
            title: title(),
            said: self.clean(&ruled.verdict.told(reason)),
            line: self.line(ruled.verdict, reason),
        });
        besides.into_iter().chain(reasons.filter(|_| ruled.verdict.exit != 0)).collect()
    }

    /// Returns what makes the exit code without a verdict.
    fn end(&self) -> Option<Wrong> {
        let Ended { why, next, .. } = self.ended?;
        let said = self.clean(&format!("{why}. Next: {next}"));
        Some(Wrong { rule: ENDED, title: format!("run of {}", self.id), said, line: 1 })
    }

    fn wrongs(&self) -> Vec<(Option<&Verdict>, Wrong)> {
        let of_stages = self
            .stages
            .iter()
            .flat_map(|ruled| self.wrongs_of(ruled).into_iter().map(|wrong| (Some(ruled.verdict), wrong)));
        of_stages.chain(self.end().map(|wrong| (None, wrong))).collect()
    }

    /// Returns where the first requirement that a reason names stands in the spec.
    fn line(&self, verdict: &Verdict, reason: &Reason) -> u32 {
        let claims = verdict.claims.iter().filter(|claim| reason.claims.contains(&claim.key));
        let found = claims.filter_map(|claim| self.spec?.requirement(&claim.subject)).map(|found| found.line).next();
        found.unwrap_or(1).max(1)
    }
}

fn title(verdict: &Verdict) -> String {
    format!("{} of {}: {}", verdict.stage, verdict.spec_id, verdict.status.words())
}

/// Writes what a command came to as JUnit XML: a suite for each spec with a case for each stage.
pub fn junit(name: &str, specs: &[OfSpec<'_>]) -> String {
    let name = xml(name);
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{name}\">\n");
    specs.iter().for_each(|of| suite(of, &mut out));
    out.push_str("</testsuites>\n");
    out
}

fn suite(of: &OfSpec<'_>, out: &mut String) {
    let id = xml(&of.clean(of.id.as_str()));
    let failures = of.stages.iter().filter(|ruled| ruled.exit != 0).count();
    let (errors, ended) = (usize::from(of.ended.is_some()), of.end());
    let tests = (of.stages.len() + errors).max(1);
    out.push_str(&format!(
        "  <testsuite name=\"{id}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n"
    ));
    for ruled in &of.stages {
        out.push_str(&format!("    <testcase classname=\"{id}\" name=\"{}\">\n", ruled.verdict.stage));
        let heading = xml(&of.clean(&title(ruled.verdict)));
        if ruled.exit == 0 {
            let why = xml(&of.clean(&ruled.verdict.why()));
            out.push_str(&format!("      <system-out>{heading}: {why}</system-out>\n"));
        } else {
            let said: Vec<String> = of.wrongs_of(ruled).into_iter().map(|wrong| wrong.said).collect();
            let (exit, said) = (ruled.exit, xml(&said.join("\n")));
            out.push_str(&format!("      <failure type=\"exit {exit}\" message=\"{heading}\">{said}</failure>\n"));
        }
        out.push_str("    </testcase>\n");
    }
    if let (Some(Ended { exit, .. }), Some(Wrong { title, said, .. })) = (of.ended, ended) {
        let (title, said) = (xml(&of.clean(&title)), xml(&said));
        out.push_str(&format!(
            "    <testcase classname=\"{id}\" name=\"run\">\n      \
             <error type=\"exit {exit}\" message=\"{title}\">{said}</error>\n    </testcase>\n"
        ));
    } else if of.stages.is_empty() {
        out.push_str(&format!("    <testcase classname=\"{id}\" name=\"nothing left to run\"/>\n"));
    }
    out.push_str("  </testsuite>\n");
}

/// Writes what a command came to as SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>): a result for each
/// reason that keeps a stage from passing, at the requirement that it bears on.
pub fn sarif(specs: &[OfSpec<'_>]) -> String {
    let wrongs: Vec<_> = specs.iter().flat_map(|of| of.wrongs().into_iter().map(move |wrong| (of, wrong))).collect();
    let mut rules: Vec<(&str, &str)> = wrongs.iter().map(|(_, (_, wrong))| wrong.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = wrongs
        .iter()
        .map(|(of, (verdict, wrong))| {
            json!({
                "ruleId": wrong.rule.0,
                "ruleIndex": rules.iter().position(|known| *known == wrong.rule),
                "level": "error",
                "message": {"text": format!("{}. {}", wrong.title, wrong.said)},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": uri(of.file), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": wrong.line}}}],
                "properties": {"spec": of.id, "stage": verdict.map(|verdict| verdict.stage),
                               "hash": verdict.map(|verdict| &verdict.hash)}
            })
        })
        .collect();
    let rules: Vec<Value> =
        rules.iter().map(|(rule, words)| json!({"id": rule, "shortDescription": {"text": words}})).collect();
    sarif_log(&rules, &results)
}

/// Makes an annotation of each reason that keeps a stage from passing.
pub fn annotations(specs: &[OfSpec<'_>]) -> Vec<Annotation> {
    let annotation = |of: &OfSpec<'_>, wrong: Wrong| {
        let (title, message) = (of.clean(&wrong.title), wrong.said);
        Annotation { level: Level::Error, file: of.file.to_owned(), line: wrong.line, title, message }
    };
    specs.iter().flat_map(|of| of.wrongs().into_iter().map(|(_, wrong)| annotation(of, wrong))).collect()
}
