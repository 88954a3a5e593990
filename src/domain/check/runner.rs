//! Which tests a test runner says it executed, read from its output.
//!
//! It must not run anything, nor decide what that means for a claim. A line that fits no runner says nothing: a runner
//! that names no test ends in [`Results::Unnamed`], never in a guess.

/// What the output of a test runner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Results {
    /// It names the tests that it executed.
    Named(Vec<Executed>),
    /// It ran, and executed nothing at all.
    NoneRan,
    /// It does not name what it executed (a quiet runner, an unknown one, a build that failed).
    Unnamed,
}

/// One test that was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Its name as the runner prints it. Foreign text.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
}

impl Executed {
    /// Tells whether this is the test that an id means: its whole name, or the end of it after a separator. What stands
    /// in brackets after the name (a case of a table) belongs to the test.
    pub fn is(&self, id: &str) -> bool {
        let name = self.name.split_once('[').map_or(self.name.as_str(), |(name, _)| name);
        [self.name.as_str(), name].iter().any(|name| {
            let head = name.strip_suffix(id);
            head.is_some_and(|h| h.is_empty() || SEPARATORS.iter().any(|mark| h.ends_with(mark)))
        })
    }
}

/// What stands between a test and what it is in: a module, a suite, a file, a parent test.
const SEPARATORS: [&str; 5] = ["::", " > ", "/", ".", " "];

/// Reads the output of libtest, nextest, pytest -v, unittest -v, go test -v, jest, vitest, node and TAP.
pub fn results(output: &str) -> Results {
    let executed: Vec<Executed> =
        output.lines().filter_map(|line| READERS.iter().find_map(|read| read(line))).collect();
    if !executed.is_empty() {
        return Results::Named(executed);
    }
    if output.lines().any(|line| NOTHING.iter().any(|words| line.contains(words))) && !output.lines().any(ran_some) {
        Results::NoneRan
    } else {
        Results::Unnamed
    }
}

/// How runners say that nothing was executed.
const NOTHING: [&str; 9] = [
    " 0 passed; 0 failed;",
    "no tests ran",
    " deselected in ",
    "Ran 0 tests",
    "[no tests to run]",
    "No tests found",
    "No test files found",
    "0 tests run:",
    "# tests 0",
];

/// Tells whether a sum of Rust's test runner counts anything, although no line names it.
fn ran_some(line: &str) -> bool {
    line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed;")
}

type Read = fn(&str) -> Option<Executed>;

const READERS: [Read; 6] = [libtest, nextest, pytest, go, marked, tap];

fn executed(name: &str, passed: bool) -> Option<Executed> {
    let name = name.trim();
    (!name.is_empty()).then(|| Executed { name: name.to_owned(), passed })
}

/// `test limiter::burst ... ok`, and of Python's unittest `test_burst (tests.test_limiter.Burst.test_burst) ... ok`.
fn libtest(line: &str) -> Option<Executed> {
    let (name, outcome) = line.trim().rsplit_once(" ... ")?;
    if let Some(name) = name.strip_prefix("test ") {
        let name = name.split(" - should panic").next().unwrap_or(name);
        return match outcome {
            o if o == "ok" || o.starts_with("ok ") => executed(name, true),
            o if o.starts_with("FAILED") => executed(name, false),
            _ => None,
        };
    }
    let (method, path) = name.split_once(" (")?;
    let path = path.strip_suffix(')')?;
    let name = if path.ends_with(method) { path.to_owned() } else { format!("{path}.{method}") };
    match outcome {
        "ok" | "expected failure" => executed(&name, true),
        "FAIL" | "ERROR" | "unexpected success" => executed(&name, false),
        _ => None,
    }
}

/// `PASS [   0.004s] (1/3) pantry::limiter burst_of_twenty_is_allowed`.
fn nextest(line: &str) -> Option<Executed> {
    let line = line.trim();
    let (word, rest) = line.split_once(" [")?;
    let passed = match word.trim() {
        "PASS" | "LEAK" | "FLAKY" => true,
        "FAIL" | "TIMEOUT" | "ABORT" | "SIGSEGV" | "SIGABRT" => false,
        _ => return None,
    };
    let (time, rest) = rest.split_once("s]")?;
    time.trim().parse::<f64>().ok()?;
    executed(rest.trim().rsplit(' ').next()?, passed)
}

/// `tests/test_limiter.py::test_burst[20] PASSED   [ 50%]`.
fn pytest(line: &str) -> Option<Executed> {
    let line = line.trim();
    for (word, passed) in
        [(" PASSED", true), (" XFAIL", true), (" FAILED", false), (" ERROR", false), (" XPASS", false)]
    {
        let Some((name, rest)) = line.split_once(word) else { continue };
        let is_end = rest.is_empty() || rest.trim_start().starts_with(['[', '(']);
        if name.contains(".py::") && is_end {
            return executed(name, passed);
        }
    }
    None
}

/// `    --- PASS: TestBurst/twenty (0.00s)`.
fn go(line: &str) -> Option<Executed> {
    let line = line.trim();
    let (name, passed) = match line.strip_prefix("--- PASS: ") {
        Some(name) => (name, true),
        None => (line.strip_prefix("--- FAIL: ")?, false),
    };
    executed(name.split(" (").next()?, passed)
}

/// `✓ refuses an empty key (3 ms)` of jest, ` ✓ src/a.test.ts > store > keeps 3ms` of vitest, `✔ keeps (0.4ms)` of node.
fn marked(line: &str) -> Option<Executed> {
    let line = line.trim();
    let rest = line.strip_prefix(['✓', '✔', '√']).map(|rest| (rest, true));
    let (name, passed) = rest.or_else(|| line.strip_prefix(['✕', '✗', '×', '✖']).map(|rest| (rest, false)))?;
    // A file's sum of vitest, `✓ src/a.test.ts (3 tests) 4ms`, names no test.
    if name.contains(" tests)") || name.contains(" test)") || name.contains(" tests | ") {
        return None;
    }
    let name = name.trim();
    let is_time =
        |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.trim_end_matches(')').ends_with('s');
    let timed = name.rsplit_once(" (").or_else(|| name.rsplit_once(' ')).filter(|(_, last)| is_time(last));
    executed(timed.map_or(name, |(name, _)| name), passed)
}

/// `ok 1 - refuses an empty key`, `not ok 2 - keeps # time=3ms`; a skipped one was not executed.
fn tap(line: &str) -> Option<Executed> {
    let line = line.trim();
    let (rest, passed) = match line.strip_prefix("ok ") {
        Some(rest) => (rest, true),
        None => (line.strip_prefix("not ok ")?, false),
    };
    let (number, name) = rest.split_once(' ')?;
    number.parse::<u32>().ok()?;
    let (name, directive) = name.split_once(" # ").unwrap_or((name, ""));
    let directive = directive.trim_start().to_ascii_uppercase();
    if directive.starts_with("SKIP") || directive.starts_with("TODO") {
        return None;
    }
    executed(name.strip_prefix("- ").unwrap_or(name), passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes what was executed as `+name` and `-name`.
    fn shown(output: &str) -> Vec<String> {
        match results(output) {
            Results::Named(all) => {
                all.iter().map(|e| format!("{}{}", if e.passed { '+' } else { '-' }, e.name)).collect()
            }
            Results::NoneRan => vec!["none".into()],
            Results::Unnamed => vec!["unnamed".into()],
        }
    }

    #[test]
    fn each_runners_output_names_what_it_executed() {
        let cases: [(&str, &[&str]); 11] = [
            (
                "running 4 tests\ntest limiter::burst ... ok\ntest keys ... FAILED\ntest slow ... ignored\n\
                 test deep - should panic ... ok\n\ntest result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured\n",
                &["+limiter::burst", "-keys", "+deep"],
            ),
            (
                "    Starting 3 tests across 2 binaries\n        PASS [   0.004s] (1/3) pantry::limiter burst\n        \
                 FAIL [   0.006s] (2/3) pantry store::tests::keeps\n        SKIP [         ] (3/3) pantry slow\n     \
                 Summary [   0.011s] 2 tests run: 1 passed, 1 failed, 1 skipped\n",
                &["+burst", "-store::tests::keeps"],
            ),
            (
                "============ test session starts ============\ncollected 4 items\n\n\
                 tests/test_limiter.py::test_burst[20] PASSED                 [ 25%]\n\
                 tests/test_limiter.py::TestKeys::test_empty FAILED           [ 50%]\n\
                 tests/test_limiter.py::test_later SKIPPED (not yet)          [ 75%]\n\
                 tests/test_limiter.py::test_known XFAIL (issue 3)            [100%]\n\
                 FAILED tests/test_limiter.py::TestKeys::test_empty - AssertionError\n",
                &[
                    "+tests/test_limiter.py::test_burst[20]",
                    "-tests/test_limiter.py::TestKeys::test_empty",
                    "+tests/test_limiter.py::test_known",
                ],
            ),
            (
                "test_burst (tests.test_limiter.Burst.test_burst) ... ok\ntest_keys (tests.test_limiter.Burst) ... FAIL\n\
                 test_slow (tests.test_limiter.Burst.test_slow) ... skipped 'slow'\n",
                &["+tests.test_limiter.Burst.test_burst", "-tests.test_limiter.Burst.test_keys"],
            ),
            (
                "=== RUN   TestBurst\n=== RUN   TestBurst/twenty\n--- FAIL: TestBurst (0.00s)\n    \
                 --- FAIL: TestBurst/twenty (0.00s)\n--- PASS: TestKeys (0.01s)\n--- SKIP: TestSlow (0.00s)\nFAIL\n",
                &["-TestBurst", "-TestBurst/twenty", "+TestKeys"],
            ),
            (
                "PASS src/store.test.js\n  store\n    ✓ keeps what it is given (3 ms)\n    ✓ lists\n    ✕ forgets (1 ms)\n    \
                 ○ skipped expires\n\nTests:       1 failed, 1 skipped, 2 passed, 4 total\n",
                &["+keeps what it is given", "+lists", "-forgets"],
            ),
            (
                " ✓ src/store.test.ts > store > keeps 3ms\n × src/store.test.ts > store > forgets 12ms\n\
                 ↓ src/store.test.ts > store > expires\n",
                &["+src/store.test.ts > store > keeps", "-src/store.test.ts > store > forgets"],
            ),
            (" ✓ src/store.test.ts (3 tests) 4ms\n", &["unnamed"]),
            ("✔ keeps (0.412ms)\n✖ forgets (1.02ms)\n﹣ expires (0.1ms) # SKIP\n", &["+keeps", "-forgets"]),
            (
                "TAP version 13\n# Subtest: store\n    ok 1 - keeps\n    not ok 2 - forgets\n    ok 3 - expires # SKIP\n\
                 not ok 1 - store\n1..1\n",
                &["+keeps", "-forgets", "-store"],
            ),
            ("running 1 test\n.\ntest result: ok. 1 passed; 0 failed; 0 ignored\n", &["unnamed"]),
        ];
        for (output, wanted) in cases {
            assert_eq!(shown(output), wanted, "{output}");
        }
    }

    #[test]
    fn a_runner_that_executed_nothing_says_so_and_silence_says_nothing() {
        for output in [
            "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out\n",
            "collected 12 items / 12 deselected / 0 selected\n\n===== 12 deselected in 0.03s =====\n",
            "===== no tests ran in 0.01s =====\n",
            "Ran 0 tests in 0.000s\n\nOK\n",
            "testing: warning: no tests to run\nPASS\nok  \tpantry\t0.002s [no tests to run]\n",
            "No tests found, exiting with code 1\n",
        ] {
            assert_eq!(results(output), Results::NoneRan, "{output}");
        }
        for output in ["", "error: could not compile\n", "ok\n", "all good\nok then - fine\n", "PASS [x] y\n"] {
            assert_eq!(results(output), Results::Unnamed, "{output}");
        }
    }

    #[test]
    fn an_id_means_a_whole_name_or_its_end_after_a_separator() {
        let executed = |name: &str| Executed { name: name.into(), passed: true };
        for (name, id, wanted) in [
            ("limiter::burst", "burst", true),
            ("limiter::burst", "limiter::burst", true),
            ("burst_more", "burst", false),
            ("outburst", "burst", false),
            ("tests/test_a.py::test_burst[20-x]", "test_burst", true),
            ("tests/test_a.py::test_burst", "tests/test_a.py::test_burst", true),
            ("src/a.test.ts > store > keeps", "keeps", true),
            ("TestBurst/twenty", "twenty", true),
            ("TestBurst/twenty", "TestBurst", false),
            ("tests.test_limiter.Burst.test_burst", "Burst.test_burst", true),
        ] {
            assert_eq!(executed(name).is(id), wanted, "{name} {id}");
        }
    }
}
