//! Panels that somebody made to hurt: each ends with an error that names the agent and the field, or with a result that
//! is the same every time; never with a panic, and never without an end.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails; it writes panels, starts the program as a user does, and tells how long it took"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use dicast::cli::decide::decide_text;
use dicast::domain::consensus::{PanelError, Verdict, decide, parse_panel};
use dicast::domain::safe::Safe;

/// A panel of two agents; the second one's first claim is `claim`.
fn panel(claim: &str) -> String {
    let good = claim_with("subject", "\"FR-001\"");
    format!(
        r#"{{"schema":"dicast.panel/1","spec_id":"001-x","stage":"plan","requirements":[{{"id":"FR-001","level":"must"}}],
        "agents":[{{"name":"ann","family":"a","status":"ok","claims":[{good}]}},
                  {{"name":"bob","family":"b","status":"ok","claims":[{claim},{good}]}}]}}"#
    )
}

/// A claim in which one field is written otherwise.
fn claim_with(field: &str, value: &str) -> String {
    let fields = [
        ("kind", "\"covers\""),
        ("subject", "\"FR-001\""),
        ("predicate", "\"covered\""),
        ("value", "\"yes\""),
        ("polarity", "1"),
        ("severity", "\"major\""),
        ("tier", "\"E2\""),
    ];
    let mut written: Vec<String> =
        fields.iter().filter(|(name, _)| *name != field).map(|(name, value)| format!("\"{name}\":{value}")).collect();
    written.push(format!("\"{field}\":{value}"));
    format!("{{{}}}", written.join(","))
}

/// Returns whose field is said to be wrong, and the whole message.
fn refused(text: &str) -> (Option<String>, String, String) {
    let error = parse_panel(text).expect_err(text.get(..200).unwrap_or(text));
    let message = error.to_string();
    let PanelError::Malformed { agent, field, .. } = error else { panic!("{message}") };
    (agent, field, message)
}

#[test]
fn a_bad_claim_is_named_by_agent_and_field() {
    for (field, value, why) in [
        ("kind", "\"belief\"", "unknown variant"),
        ("kind", "7", "expected"),
        ("subject", "null", "expected a string"),
        ("subject", "\"\"", "it is empty"),
        ("subject", "\" \\u0000\\t\\u00a0 \"", "it is empty"),
        ("subject", "\"\\ud800\"", "escape"),
        ("subject", "\"\\udfff\\ud800\"", ""),
        ("subject", "\"\\x\"", "escape"),
        ("predicate", "\"\\u2003\"", "it is empty"),
        ("value", "1.5", "float"),
        ("value", "1e999", ""),
        ("value", "{\"deep\":1}", ""),
        ("polarity", "0", "1 or -1"),
        ("polarity", "1.0", "floating point"),
        ("polarity", "\"1\"", "expected"),
        ("polarity", "99999999999999999999", ""),
        ("severity", "\"huge\"", "unknown variant"),
        ("severity", "\"Major\"", "unknown variant"),
        ("tier", "\"E4\"", ""),
        ("tier", "3", ""),
    ] {
        let (agent, at, message) = refused(&panel(&claim_with(field, value)));
        assert_eq!(agent.as_deref(), Some("bob"), "{field}: {value}: {message}");
        assert!(at.starts_with(&format!("claims[0].{field}")), "{field}: {value}: {message}");
        assert!(message.contains(why), "{field}: {value}: {message}");
    }
    let twice = claim_with("subject", "\"FR-001\",\"subject\":\"FR-002\"");
    assert!(refused(&panel(&twice)).2.contains("duplicate field `subject`"));
    let (agent, field, message) = refused(&panel("7"));
    assert_eq!((agent.as_deref(), field.as_str()), (Some("bob"), "claims[0]"), "{message}");
}

#[test]
fn what_is_wrong_outside_a_claim_is_named_too() {
    let good = panel(&claim_with("subject", "\"FR-001\""));
    for (from, to, agent, field) in [
        ("\"name\":\"bob\"", "\"name\":\"ann\"", Some("ann"), "name"),
        ("\"name\":\"bob\"", "\"name\":\"\"", None, "agents[1].name"),
        ("\"name\":\"bob\"", "\"name\":\"../bob\"", Some("../bob"), "name"),
        ("\"name\":\"bob\"", "\"name\":\"b\\u202eob\"", Some("b\u{202e}ob"), "name"),
        ("\"name\":\"bob\"", "\"name\":7", None, "agents[1].name"),
        ("\"name\":\"bob\",", "", None, "agents[1]"),
        ("\"family\":\"b\"", "\"family\":\"b b\"", Some("bob"), "family"),
        ("\"family\":\"b\",\"status\":\"ok\"", "\"family\":\"b\",\"status\":\"fine\"", Some("bob"), "status"),
        ("\"family\":\"b\",", "\"family\":\"b\",\"voter\":\"yes\",", Some("bob"), "voter"),
        ("\"stage\":\"plan\"", "\"stage\":\"plans\"", None, "stage"),
        ("\"spec_id\":\"001-x\"", "\"spec_id\":\"../../etc\"", None, "spec_id"),
        ("dicast.panel/1", "dicast.panel/2", None, "schema"),
        ("\"level\":\"must\"", "\"level\":\"MUST\"", None, "requirements[0].level"),
        ("\"id\":\"FR-001\"", "\"id\":\" \\u0000\"", None, "requirements[0].id"),
        (
            "[{\"id\":\"FR-001\"",
            "[{\"id\":\"fr-001\",\"level\":\"may\"},{\"id\":\"FR-001\"",
            None,
            "requirements[1].id",
        ),
        ("\"agents\":", "\"policy\":{\"agree\":0.5},\"agents\":", None, "policy.agree"),
        ("\"agents\":", "\"policy\":{\"quorum\":\"7/3\"},\"agents\":", None, "policy.quorum"),
        ("\"agents\":", "\"waivers\":[{\"claim\":7}],\"agents\":", None, "waivers[0].claim"),
        ("\"agents\":", "\"same_as\":[[\"a\"]],\"agents\":", None, "same_as[0]"),
        ("\"agents\":", "\"agents\":[],\"agents\":", None, "panel"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let (found, at, message) = refused(&bad);
        assert_eq!((found.as_deref(), at.as_str()), (agent, field), "{to}: {message}");
        assert!(!Safe::line(&message).as_str().contains(['\u{202e}', '\u{1b}']), "{message}");
    }
    for bad in ["", " ", "null", "[]", "7", "{", "{}", "\u{feff}{}", "{\"schema\":\"dicast.panel/1\"}", "nonsense"] {
        assert_eq!(refused(bad).1, "panel", "{bad:?}");
    }
    assert!(refused(&format!("{good} {{}}")).2.contains("behind the JSON object"));
}

#[test]
fn a_panel_that_breaks_off_anywhere_still_names_whoever_was_speaking() {
    let good = panel(&claim_with("subject", "\"FR-001\""));
    let (mut named, bob) = (0, good.find("\"bob\"").unwrap() + 5);
    for end in (0..good.len()).filter(|end| good.is_char_boundary(*end)) {
        let (agent, field, message) = refused(&good[..end]);
        assert!(!field.is_empty(), "{message}");
        if end > bob && field.starts_with("claims") {
            assert_eq!(agent.as_deref(), Some("bob"), "{message}");
            named += 1;
        }
    }
    assert!(named > 100, "only {named} places named the agent");
}

/// Texts that are valid and not kind, as JSON strings.
fn unkind_texts() -> Vec<(&'static str, String)> {
    let quoted = |text: String| serde_json::to_string(&text).unwrap();
    vec![
        ("one megabyte", quoted("limiter ".repeat(131_072))),
        ("one megabyte without a space", quoted("a".repeat(1 << 20))),
        ("a flood of combining marks", quoted(format!("a{}", "\u{301}\u{323}".repeat(100_000)))),
        ("marks in the wrong order", quoted(format!("a{}", "\u{345}\u{301}\u{334}".repeat(60_000)))),
        ("letters that lower-casing takes apart", quoted("\u{130}".repeat(100_000))),
        ("ligatures and Hangul", quoted("\u{fb03}\u{1112}\u{1161}\u{11ab}".repeat(20_000))),
        ("overrides of direction", quoted("\u{202e}\u{2066}evil\u{2069}".repeat(1_000))),
        ("nothing", "\"a\\u0000b\\u0000covered\"".into()),
        ("a pair of surrogates", "\"\\ud83d\\ude00 laughs\"".into()),
        ("no character", "\"\\uffff\\ufdd0\"".into()),
        ("quotes of all kinds", quoted("`\"“«'‘".repeat(5_000))),
        ("quotes that never close", quoted("'a ".repeat(20_000))),
        ("numbers", quoted("1.2.3,4 -5 ٣ ".repeat(10_000))),
        ("a number of a megabyte", quoted("9".repeat(1 << 20))),
        ("a path of many parts", quoted("../a/./".repeat(50_000))),
    ]
}

#[test]
fn unkind_texts_end_in_a_verdict_that_is_the_same_every_time() {
    for (name, text) in unkind_texts() {
        let began = Instant::now();
        for (kind, predicate) in
            [("risk", "open"), ("finding", "condition"), ("file_change", "touched"), ("test", "passes")]
        {
            let claim = |value: &str| {
                format!(
                    r#"{{"kind":"{kind}","subject":{text},"predicate":"{predicate}","value":{value},"polarity":1}}"#
                )
            };
            let json = panel(&format!("{},{}", claim("\"yes\""), claim(&text)));
            let panel = parse_panel(&json).unwrap_or_else(|e| panic!("{name}: {}", &e.to_string()[..200]));
            let verdict = decide(&panel);
            assert_eq!(decide(&panel), verdict, "{name}");
            assert_eq!(verdict.hash, verdict.computed_hash(), "{name}");
            let written = serde_json::to_string(&verdict).unwrap();
            assert_eq!(serde_json::from_str::<Verdict>(&written).unwrap(), verdict, "{name}");
        }
        // Far more than it takes: what this catches is a cost that grows with the square.
        assert!(began.elapsed() < Duration::from_secs(60), "{name} took {:?}", began.elapsed());
    }
}

#[test]
fn no_text_forges_the_key_of_another_claim() {
    let key = |kind: &str, subject: &str, predicate: &str| {
        let claim = format!(
            r#"{{"kind":"{kind}","subject":"{subject}","predicate":"{predicate}","value":"yes","polarity":1}}"#
        );
        let verdict = decide(&parse_panel(&panel(&claim)).unwrap());
        verdict.claims.iter().map(|claim| claim.key.to_string()).collect::<Vec<_>>()
    };
    let honest = key("risk", "a", "b");
    assert_eq!(honest.len(), 2);
    assert_ne!(honest, key("risk", "a\\u0000b", "b"));
    assert_ne!(honest, key("risk", "a\\u0000", "b\\u0000b"));
    // White space, case, composition and control characters make no other claim.
    assert_eq!(honest, key("risk", " A\\u0000\\u0085 ", "\\tB"));
    assert_eq!(key("risk", "caf\\u00e9", "b"), key("risk", "cafe\\u0301", "b"));
}

#[test]
fn deep_nesting_neither_overflows_the_stack_nor_hangs() {
    for depth in [100, 1_000, 1_000_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        // In a field that nobody reads, it is ignored; in one that is read, it is refused there.
        let ignored = claim_with("note", &nested);
        let known = parse_panel(&panel(&ignored)).unwrap();
        assert_eq!(known.agents[1].claims.len(), 2);
        let (agent, field, message) = refused(&panel(&claim_with("value", &nested)));
        assert_eq!(agent.as_deref(), Some("bob"), "{message}");
        assert!(field.starts_with("claims[0].value") && message.len() < 2_000, "{message}");
        refused(&nested);
        refused(&format!("{}{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
    }
}

#[test]
fn a_thousand_agents_and_none_are_decided() {
    let agents: Vec<String> = (0..1_000)
        .map(|i| {
            let claim = claim_with("subject", "\"FR-001\"");
            format!(r#"{{"name":"a{i}","family":"f{i}","status":"ok","claims":[{claim}]}}"#)
        })
        .collect();
    let of =
        |agents: &str| format!(r#"{{"schema":"dicast.panel/1","spec_id":"001-x","stage":"plan","agents":[{agents}]}}"#);
    assert_eq!(decide_text(&of(&agents.join(","))).unwrap().0.exit, 0);
    assert_eq!(decide_text(&of("")).unwrap().0.exit, 4);
}

/// Runs `dicast decide` on a file, with at most this much memory, in megabytes.
fn decide_file(path: &Path, memory_mb: u64) -> (Output, Duration) {
    let began = Instant::now();
    let limited = format!("ulimit -v {}; exec \"$0\" decide \"$1\" --json", memory_mb * 1024);
    let output = Command::new("sh").args(["-c", &limited, env!("CARGO_BIN_EXE_dicast")]).arg(path).output().unwrap();
    (output, began.elapsed())
}

/// Writes a panel whose agents say what `claims` returns until the file has this many megabytes.
fn write_panel(path: &Path, megabytes: usize, mut claim: impl FnMut(usize) -> String) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    write!(file, r#"{{"schema":"dicast.panel/1","spec_id":"001-x","stage":"plan","agents":["#).unwrap();
    let mut said = 0;
    for agent in 0..8 {
        let lead = if agent == 0 { "" } else { "," };
        write!(file, r#"{lead}{{"name":"a{agent}","family":"f{agent}","status":"ok","claims":["#).unwrap();
        let mut written = 0;
        while written < megabytes * 1_000_000 / 8 {
            let text = format!("{}{}", if written == 0 { "" } else { "," }, claim(said));
            written += text.len();
            said += 1;
            file.write_all(text.as_bytes()).unwrap();
        }
        write!(file, "]}}").unwrap();
    }
    write!(file, "]}}").unwrap();
}

/// Longest that any of the large panels may take, in an unoptimised build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

#[test]
#[ignore = "slow: writes and reads hundreds of megabytes; .ci/run runs it"]
fn large_panels_end_with_an_error_or_a_result_in_bounded_time_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panel.json");
    let small = |i: usize| {
        format!(
            r#"{{"kind":"risk","subject":"risk {} of {}","predicate":"open","value":"yes","polarity":1}}"#,
            i % 40_000,
            i % 7
        )
    };
    // What is refused by its size is not read: 100 MB fits where 100 MB could not be parsed.
    write_panel(&path, 100, small);
    let (output, took) = decide_file(&path, 512);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{said}");
    assert!(said.contains("is larger than") && took < Duration::from_secs(30), "{took:?}: {said}");

    let huge = format!(
        r#"{{"kind":"risk","subject":"{}","predicate":"open","value":"yes","polarity":1}}"#,
        "word ".repeat(1_400_000)
    );
    for (name, code) in
        [("many small claims", 0), ("eight huge subjects", 0), ("it breaks off", 3), ("only brackets", 3)]
    {
        match name {
            "many small claims" => write_panel(&path, 60, small),
            "eight huge subjects" => write_panel(&path, 1, |_| huge.clone()),
            "it breaks off" => {
                write_panel(&path, 60, small);
                let length = fs::metadata(&path).unwrap().len();
                File::options().write(true).open(&path).unwrap().set_len(length - 20_000).unwrap();
            }
            _ => fs::write(&path, "[".repeat(60_000_000)).unwrap(),
        }
        let (output, took) = decide_file(&path, 4_096);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        println!("{name}: exit {:?} after {took:?}", output.status.code());
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(took < PATIENCE, "{name} took {took:?}");
        assert!(said.len() < 2_000, "{name}: {} bytes of complaint", said.len());
        if name == "it breaks off" {
            assert!(said.contains("agent a7: claims["), "{said}");
        }
    }
}
