//! Writes what `check` found: lines for people, JSONL, SARIF 2.1.0, JUnit XML.
//!
//! Pure functions from a [`Report`] to text. It must not know where the report comes from or where the text goes.

use serde_json::{Value, json};

use super::github::{Annotation, Level};
use crate::domain::check::{Counts, Finding, Report, Rule, Severity, Survey};
use crate::domain::moment::Moment;
use crate::domain::safe::Safe;

/// Writes the report for people.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    if report.specs.is_empty() && report.findings.is_empty() {
        return "no specs here: write one as specs/001-name/spec.md\n".into();
    }
    for survey in &report.specs {
        out.push_str(&format!("{}  {}\n  {}\n", survey.id, survey.title, summary(survey)));
        report.of(&survey.id).for_each(|f| lines_of(f, &mut out));
        out.push('\n');
    }
    let known = |f: &&Finding| f.spec.as_ref().is_some_and(|id| report.specs.iter().any(|s| s.id == *id));
    let others: Vec<&Finding> = report.findings.iter().filter(|f| !known(f)).collect();
    if !others.is_empty() {
        out.push_str("besides\n");
        others.into_iter().for_each(|f| lines_of(f, &mut out));
        out.push('\n');
    }
    out.push_str(&format!(
        "{} in {}: {}, {}, {}\n",
        counted(report.specs.len(), "spec"),
        counted(usize::try_from(report.files).unwrap_or(usize::MAX), "file"),
        counted(report.count(Severity::Error), "error"),
        counted(report.count(Severity::Warning), "warning"),
        counted(report.count(Severity::Info), "remark"),
    ));
    out
}

/// Writes the report as Markdown: a block of code, in which nothing that a spec says becomes a link or a mention.
pub fn markdown(report: &Report) -> String {
    let text = text(report);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    // A fence ends only where one as long as it stands.
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}{fence}\n")
}

/// Writes the errors of a report for people, and nothing else.
pub fn errors(report: &Report) -> String {
    let mut out = String::new();
    report.findings.iter().filter(|finding| finding.severity == Severity::Error).for_each(|f| lines_of(f, &mut out));
    out
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Writes what was counted of one spec in one line: `14 tasks ticked: 11 seen in code, 3 NOT THERE`.
pub fn summary(survey: &Survey) -> String {
    let demands = format!("{} of {} requirements are musts", survey.musts, survey.requirements);
    let Some(Counts { all, ticked, seen, absent, unnamed }) = survey.tasks else {
        return format!("not planned into tasks yet · {demands}");
    };
    let mut parts = Vec::new();
    if seen > 0 {
        parts.push(format!("{seen} seen in code"));
    }
    if absent > 0 {
        parts.push(format!("{absent} NOT THERE"));
    }
    if unnamed > 0 {
        parts.push(format!("{unnamed} with nothing to look at"));
    }
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{ticked} of {all} tasks ticked{parts} · {demands}")
}

fn lines_of(finding: &Finding, out: &mut String) {
    let place = Safe::line(&format!("{}:{}", finding.place.file, finding.place.line));
    let word = finding.severity.word();
    let rule = finding.rule.id();
    out.push_str(&format!(
        "  {word:<8} {}\n           {place}  [{rule}]\n           → {}\n",
        finding.message, finding.clear
    ));
}

/// Makes an annotation of each finding.
pub fn annotations(report: &Report) -> Vec<Annotation> {
    let annotation = |finding: &Finding| Annotation {
        level: match finding.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
            Severity::Info => Level::Notice,
        },
        file: finding.place.file.clone(),
        line: finding.place.line.max(1),
        title: finding.rule.id().to_owned(),
        message: format!("{} → {}", finding.message, finding.clear),
    };
    report.findings.iter().map(annotation).collect()
}

/// Writes the report as events, one JSON object a line; the last one is `run.finished`.
pub fn jsonl(report: &Report, at: Moment) -> String {
    let at = at.rfc3339();
    let specs = report.specs.iter().map(|s| {
        json!({"type": "check.spec", "spec": s.id, "title": s.title, "requirements": s.requirements, "musts": s.musts,
               "tasks": s.tasks, "traces": s.traces})
    });
    let findings = report.findings.iter().map(|f| {
        json!({"type": "check.finding", "rule": f.rule.id(), "analyst": f.rule.analyst(), "severity": f.severity,
               "spec": f.spec, "about": f.about, "file": f.place.file, "line": f.place.line, "message": f.message,
               "clear": f.clear, "by": f.by})
    });
    let finished = json!({"type": "run.finished", "exit": report.exit(), "verdicts": [], "evidence": null, "memory": null,
                          "files": report.files});
    let mut out = String::new();
    for (seq, mut event) in (1u64..).zip(specs.chain(findings).chain([finished])) {
        if let Value::Object(fields) = &mut event {
            fields.insert("schema".into(), json!("dicast.event/1"));
            fields.insert("seq".into(), json!(seq));
            fields.insert("at".into(), json!(at));
            fields.insert("run".into(), Value::Null);
        }
        out.push_str(&event.to_string());
        out.push('\n');
    }
    out
}

/// Writes the report as SARIF 2.1.0 (OASIS Standard, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>).
pub fn sarif(report: &Report) -> String {
    let level = |severity: Severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| {
            json!({"id": rule.id(), "shortDescription": {"text": rule.help()},
                   "defaultConfiguration": {"level": level(rule.severity())},
                   "properties": {"analyst": rule.analyst()}})
        })
        .collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|f| {
            json!({
                "ruleId": f.rule.id(),
                "ruleIndex": Rule::ALL.iter().position(|r| *r == f.rule),
                "level": level(f.severity),
                "message": {"text": format!("{}. To clear it: {}.", f.message, f.clear)},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": uri(&f.place.file), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": f.place.line.max(1)}}}],
                "properties": {"spec": f.spec, "about": f.about, "by": f.by}
            })
        })
        .collect();
    sarif_log(&rules, &results)
}

/// Writes one run as SARIF 2.1.0.
pub(super) fn sarif_log(rules: &[Value], results: &[Value]) -> String {
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "dicast", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results
        }]
    });
    format!("{log:#}\n")
}

/// Writes a relative path as a URI reference (RFC 3986): all but unreserved characters and `/` percent-encoded.
pub(super) fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Writes the report as JUnit XML: a suite for each spec, a failed case for each finding worse than a remark.
pub fn junit(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"dicast check\">\n");
    let none = report.findings.iter().filter(|f| f.spec.is_none()).collect::<Vec<_>>();
    for survey in &report.specs {
        suite(survey.id.as_str(), &report.of(&survey.id).collect::<Vec<_>>(), &mut out);
    }
    let unread =
        report.findings.iter().filter(|f| f.spec.as_ref().is_some_and(|id| report.specs.iter().all(|s| s.id != *id)));
    let rest: Vec<&Finding> = none.into_iter().chain(unread).collect();
    if !rest.is_empty() {
        suite("besides", &rest, &mut out);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(name: &str, findings: &[&Finding], out: &mut String) {
    let failures = findings.iter().filter(|f| f.severity != Severity::Info).count();
    let name = xml(name);
    let tests = findings.len().max(1);
    out.push_str(&format!("  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n"));
    if findings.is_empty() {
        out.push_str(&format!("    <testcase classname=\"{name}\" name=\"nothing found\"/>\n"));
    }
    for finding in findings {
        let place = xml(Safe::line(&format!("{}:{}", finding.place.file, finding.place.line)).as_str());
        let (rule, message) = (finding.rule.id(), xml(finding.message.as_str()));
        let case = format!("    <testcase classname=\"{name}\" name=\"{rule} {place}\"");
        if finding.severity == Severity::Info {
            out.push_str(&format!("{case}>\n      <system-out>{message}</system-out>\n    </testcase>\n"));
        } else {
            let clear = xml(finding.clear.as_str());
            out.push_str(&format!(
                "{case}>\n      <failure type=\"{}\" message=\"{message}\">{place}\nTo clear it: {clear}</failure>\n    </testcase>\n",
                finding.severity.word()
            ));
        }
    }
    out.push_str("  </testsuite>\n");
}

/// Writes a text as a text or an attribute of XML.
pub(super) fn xml(text: &str) -> String {
    // U+FFFE and U+FFFF are no characters of XML 1.0 (§2.2); the other forbidden ones are controls, which Safe replaces.
    let text = text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\n', "&#10;")
}
