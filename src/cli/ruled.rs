//! Writes what a recorded verdict came to for CI: JUnit XML and SARIF 2.1.0. (Markdown is the report's.)
//!
//! Pure functions from a [`Ruled`] to text. It must not know where a verdict comes from or where the text goes.

use serde_json::{Value, json};

use super::check::{sarif_log, uri, xml};
use crate::domain::consensus::{Reason, Verdict};
use crate::domain::redact::Redactor;
use crate::domain::safe::Safe;
use crate::domain::spec::Spec;

/// A verdict, and what it comes to now.
#[derive(Debug, Clone, Copy)]
pub struct Ruled<'v> {
    /// The verdict.
    pub verdict: &'v Verdict,
    /// The spec that it is about, as it reads now.
    pub spec: &'v Spec,
    /// The exit code, after what was required of it.
    pub exit: u8,
    /// Why it is no pass although the verdict is one: stale, or not what was required.
    pub besides: Option<&'v str>,
    /// Takes secrets out of what is written.
    pub redactor: &'v Redactor,
}

/// The rule of what is wrong with a verdict that is a pass by itself.
const BESIDES: (&str, &str) = ("not_accepted", "the verdict is stale, or not what was required");

impl Ruled<'_> {
    fn clean(&self, text: &str) -> String {
        Safe::line(&self.redactor.clean(text)).to_string()
    }

    /// Returns what makes the exit code: rule, its words, what is said, and the line of the spec that it bears on.
    fn wrongs(&self) -> Vec<(&'static str, &'static str, String, u32)> {
        if self.exit == 0 {
            return Vec::new();
        }
        let besides = self.besides.map(|why| (BESIDES.0, BESIDES.1, self.clean(why), 1));
        let is_deciding = |reason: &&Reason| reason.code.status() == Some(self.verdict.status);
        let reasons = self.verdict.reasons.iter().filter(is_deciding).map(|reason| {
            let said = self.clean(&self.verdict.told(reason));
            (reason.code.name(), reason.code.words(), said, self.line(reason))
        });
        besides.into_iter().chain(reasons.filter(|_| self.verdict.exit != 0)).collect()
    }

    /// Returns where the first requirement that a reason names stands in the spec.
    fn line(&self, reason: &Reason) -> u32 {
        let claims = self.verdict.claims.iter().filter(|claim| reason.claims.contains(&claim.key));
        claims.filter_map(|claim| self.spec.requirement(&claim.subject)).map(|found| found.line).next().unwrap_or(1)
    }

    fn title(&self) -> String {
        let Verdict { stage, status, .. } = self.verdict;
        format!("{stage} of {}: {}", self.verdict.spec_id, status.words())
    }
}

/// Writes a verdict as JUnit XML: a suite for the spec with one case for the stage.
pub fn junit(ruled: &Ruled<'_>) -> String {
    let (spec, stage) = (xml(&ruled.clean(ruled.spec.id.as_str())), ruled.verdict.stage);
    let failures = usize::from(ruled.exit != 0);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"dicast verdict\">\n  \
         <testsuite name=\"{spec}\" tests=\"1\" failures=\"{failures}\" errors=\"0\">\n    \
         <testcase classname=\"{spec}\" name=\"{stage}\">\n"
    );
    let why = xml(&ruled.clean(&ruled.verdict.why()));
    if ruled.exit == 0 {
        out.push_str(&format!("      <system-out>{}: {why}</system-out>\n", xml(&ruled.title())));
    } else {
        let said: Vec<String> = ruled.wrongs().into_iter().map(|(.., said, _)| said).collect();
        out.push_str(&format!(
            "      <failure type=\"exit {}\" message=\"{}\">{}</failure>\n",
            ruled.exit,
            xml(&ruled.title()),
            xml(&said.join("\n"))
        ));
    }
    out.push_str("    </testcase>\n  </testsuite>\n</testsuites>\n");
    out
}

/// Writes a verdict as SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>): a result for each reason that
/// keeps it from passing, at the requirement that it bears on.
pub fn sarif(ruled: &Ruled<'_>) -> String {
    let wrongs = ruled.wrongs();
    let mut rules: Vec<(&str, &str)> = wrongs.iter().map(|(rule, words, ..)| (*rule, *words)).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = wrongs
        .iter()
        .map(|(rule, _, said, line)| {
            json!({
                "ruleId": rule,
                "ruleIndex": rules.iter().position(|(known, _)| known == rule),
                "level": "error",
                "message": {"text": format!("{}. {said}", ruled.title())},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": uri(&ruled.spec.file), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": line.max(&1)}}}],
                "properties": {"spec": ruled.spec.id, "stage": ruled.verdict.stage, "hash": ruled.verdict.hash}
            })
        })
        .collect();
    let rules: Vec<Value> =
        rules.iter().map(|(rule, words)| json!({"id": rule, "shortDescription": {"text": words}})).collect();
    sarif_log(&rules, &results)
}
