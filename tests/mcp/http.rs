//! Servers over streamable HTTP (the fake with `--http`): refused, failing, forgetful, cut off, huge, gone. The same
//! promises as for children.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dicast::domain::failure::Failure;
use dicast::domain::server::{Endpoint, Reach, ServerSpec, State, Token};
use serde_json::json;

use super::{Bench, cancelled_in_the_call, fake, is_server_failure, live, logged, program};

/// The fake behind an address; killed when it is dropped.
struct Remote {
    child: Child,
    url: String,
}

impl Remote {
    fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(program()).arg("--http").args(flags).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        std::io::BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }

    fn spec(&self) -> ServerSpec {
        ServerSpec { reach: Reach::Http(endpoint(&self.url, None)), ..fake(&[]) }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn endpoint(url: &str, token: Option<Token>) -> Endpoint {
    Endpoint { url: url.to_owned(), token, headers: BTreeMap::new(), unset: Vec::new() }
}

fn token(value: Option<&str>) -> Option<Token> {
    Some(Token { variable: "FAKE_TOKEN".into(), value: value.map(str::to_owned) })
}

fn path(log: &Path) -> &str {
    log.to_str().unwrap()
}

#[test]
fn a_server_behind_an_address_answers_with_json_and_with_events() {
    live(async {
        for flags in [&[][..], &["--sse"]] {
            let remote = Remote::start(flags);
            let mut bench = Bench::of(vec![remote.spec()]);
            let status = bench.until_ready().await;
            assert_eq!(status.identity.unwrap().as_str(), "fake 0");
            assert_eq!(status.protocol.as_deref(), Some("2025-11-25"));
            assert!(status.tools.contains(&"echo".to_owned()));
            for n in 0..20 {
                assert_eq!(bench.call("echo", json!({"text": n})).await, Ok(json!({"echo": n})));
            }
            assert!(is_server_failure(&bench.call("fail", json!({"text": "no"})).await, "fail: no"));
            assert_eq!(bench.status().await.state, State::Ready);
            bench.end().await;
        }
    });
}

#[test]
fn the_token_and_the_headers_reach_the_server() {
    live(async {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let remote = Remote::start(&["--need-token", "s3cret", "--log", path(&log), "--log-header", "x-team"]);
        let mut reach = endpoint(&remote.url, token(Some("s3cret")));
        reach.headers.insert("X-Team".into(), "blue".into());
        let mut bench = Bench::of(vec![ServerSpec { reach: Reach::Http(reach), ..fake(&[]) }]);
        bench.until_ready().await;
        assert_eq!(logged(&log, "header").await, "header blue");
        bench.end().await;
    });
}

#[test]
fn a_refused_or_missing_token_names_its_variable_and_is_not_tried_again() {
    live(async {
        let table = [
            (&["--need-token", "x"][..], token(Some("y")), "it does not accept the token in FAKE_TOKEN"),
            (&["--need-token", "x", "--challenge"], token(Some("y")), "it does not accept the token in FAKE_TOKEN"),
            (&["--need-token", "x"], None, "it wants a token: name the variable that holds it in bearer_token_env_var"),
            (&[], token(None), "the variable FAKE_TOKEN is not set"),
        ];
        for (flags, token, wanted) in table {
            let remote = Remote::start(flags);
            let spec = ServerSpec { reach: Reach::Http(endpoint(&remote.url, token)), ..fake(&[]) };
            let mut bench = Bench::of(vec![spec]);
            let status = bench.until("dead", |status| matches!(status.state, State::Dead { .. })).await;
            assert_eq!(status.state, State::Dead { why: wanted.into() });
            assert_eq!(status.restarts, 0);
            let begun = Instant::now();
            assert!(is_server_failure(&bench.call("echo", json!({})).await, wanted));
            assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
            bench.end().await;
        }
    });
}

#[test]
fn a_forgotten_session_is_replaced_without_the_caller_noticing() {
    live(async {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let remote = Remote::start(&["--lose-session-after", "2", "--log", path(&log)]);
        let bench = Bench::of(vec![remote.spec()]);
        for n in 0..4 {
            assert_eq!(bench.call("echo", json!({"text": n})).await, Ok(json!({"echo": n})));
        }
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text.lines().filter(|line| *line == "404").count(), 1, "{text}");
        assert_eq!(text.lines().filter(|line| *line == "initialize").count(), 2, "{text}");
        assert_eq!(bench.status().await.restarts, 0);
        bench.end().await;
    });
}

#[test]
fn cancel_reaches_the_caller_at_once_and_the_server_as_a_notification() {
    live(async {
        for flags in [&[][..], &["--sse"]] {
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("log");
            let remote = Remote::start(&[flags, &["--log", path(&log)]].concat());
            let mut bench = Bench::of(vec![remote.spec()]);
            bench.until_ready().await;
            cancelled_in_the_call(&bench, &log).await;
            bench.end().await;
        }
    });
}

#[test]
fn a_slow_handshake_and_a_slow_answer_end_at_our_limits() {
    live(async {
        let remote = Remote::start(&["--hang"]);
        let mut bench = Bench::of(vec![ServerSpec { startup_ms: 150, ..remote.spec() }]);
        let (attempt, why) = bench.until_lost().await;
        assert_eq!((attempt, why.as_str()), (1, "no handshake within 0.15 s"));
        bench.end().await;
        let remote = Remote::start(&[]);
        let bench = Bench::of(vec![ServerSpec { tool_ms: 100, ..remote.spec() }]);
        let late = bench.call("sleep", json!({"ms": 60_000})).await;
        assert!(matches!(late, Err(Failure::Timeout { after_ms: 100, .. })), "{late:?}");
        assert_eq!(bench.call("echo", json!({"text": 1})).await, Ok(json!({"echo": 1})));
        bench.end().await;
    });
}

#[test]
fn an_answer_that_breaks_off_is_a_failure_of_that_call_only() {
    live(async {
        for flags in [&["--cut"][..], &["--cut", "--sse"]] {
            let remote = Remote::start(flags);
            let bench = Bench::of(vec![ServerSpec { tool_ms: 1_000, ..remote.spec() }]);
            let begun = Instant::now();
            let outcome = bench.call("echo", json!({"text": 1})).await;
            assert!(outcome.is_err(), "{outcome:?}");
            assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
            assert_eq!(bench.status().await.restarts, 0);
            bench.end().await;
        }
    });
}

#[test]
fn a_reply_of_50_mb_is_refused_and_the_session_goes_on() {
    live(async {
        for flags in [&["--huge-reply", "50"][..], &["--huge-reply", "50", "--sse"]] {
            let remote = Remote::start(flags);
            let bench = Bench::of(vec![ServerSpec { tool_ms: 2_000, ..remote.spec() }]);
            let outcome = bench.call("echo", json!({"text": 1})).await;
            assert!(is_server_failure(&outcome, "16777216"), "{flags:?}: {outcome:?}");
            assert_eq!(bench.call("sleep", json!({"ms": 0})).await, Ok(json!("slept")));
            bench.end().await;
        }
    });
}

#[test]
fn a_server_that_cannot_now_is_asked_again_if_that_does_no_harm() {
    live(async {
        let remote = Remote::start(&["--unavailable", "2"]);
        let bench = Bench::of(vec![remote.spec()]);
        let once = bench.call("echo", json!({"text": 1})).await;
        assert!(is_server_failure(&once, "it answers HTTP 503"), "{once:?}");
        assert_eq!(bench.ask("echo", json!({"text": 2}), 5_000, true).await, Ok(json!({"echo": 2})));
        assert_eq!(bench.status().await.retries, 1);
        bench.end().await;
    });
}

#[test]
fn a_server_that_goes_away_is_lost_and_found_again_when_it_is_back() {
    live(async {
        let remote = Remote::start(&[]);
        let port = remote.url.trim_end_matches("/mcp").rsplit(':').next().unwrap().to_owned();
        let mut bench = Bench::of(vec![remote.spec()]);
        bench.until_ready().await;
        drop(remote);
        let begun = Instant::now();
        let gone = bench.call("echo", json!({"text": 1})).await;
        assert!(is_server_failure(&gone, "it cannot be reached"), "{gone:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let (_, why) = bench.until_lost().await;
        assert!(why.contains("it cannot be reached"), "{why}");
        let _back = Remote::start(&["--port", &port]);
        assert_eq!(bench.ask("echo", json!({"text": 2}), 10_000, true).await, Ok(json!({"echo": 2})));
        bench.end().await;
    });
}

#[test]
fn an_address_where_nobody_listens_is_lost_with_the_reason() {
    live(async {
        // Port 9 of this machine: nothing of ours listens there.
        let spec = ServerSpec { reach: Reach::Http(endpoint("http://127.0.0.1:9/mcp", None)), ..fake(&[]) };
        let mut bench = Bench::of(vec![spec]);
        let (_, why) = bench.until_lost().await;
        assert!(why.starts_with("it cannot be reached: ") && why.contains("refused"), "{why}");
        bench.end().await;
    });
}
