//! What a server says unasked, whether it lives, and when it is left alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dicast::actors::agents::process::Children;
use dicast::actors::mcp::Processes;
use dicast::actors::{Scope, Waker};
use dicast::domain::redact::Redactor;
use dicast::domain::server::{ServerSpec, State};
use serde_json::json;

use super::{Bench, fake, is_server_failure, live, logged};

#[test]
fn a_running_call_and_its_progress_are_told_and_forgotten_at_its_end() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--progress"])]);
        bench.until_ready().await;
        let call = bench.call("sleep", json!({"ms": 1_200}));
        let status = bench.until("progress", |status| status.progress.is_some()).await;
        assert_eq!(status.progress.unwrap().as_str(), "3 of 10: indexing");
        assert_eq!(status.running.iter().map(|call| call.tool.as_str()).collect::<Vec<_>>(), ["sleep"]);
        call.await.unwrap();
        let status = bench.until("the end", |status| status.running.is_empty()).await;
        assert_eq!(status.progress, None);
        bench.end().await;
    });
}

#[test]
fn what_a_server_logs_stands_among_its_words_and_is_harmless() {
    live(async {
        let bench = Bench::of(vec![fake(&["--logs"])]);
        bench.call("echo", json!({"text": 1})).await.unwrap();
        let words = bench.handle.words("fake").await.unwrap();
        assert!(words.iter().any(|line| line.as_str() == "[warning] fake: disk is ␛[2Jslow"), "{words:?}");
        bench.end().await;
    });
}

#[test]
fn secrets_in_a_servers_answers_errors_and_words_are_hidden_wherever_they_are_told() {
    live(async {
        let (secret, key) = ("hunter2-hunter2", format!("sk-{}", "a1B2".repeat(10)));
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let redactor = Redactor::new([secret.to_owned()]);
        let connector = Processes::new(Children::new(&scope), "test-secrets").hiding(redactor);
        let bench = Bench::with(scope, Arc::new(connector), vec![fake(&[])], "test-secrets".into());
        let answer = bench.call("echo", json!({"text": format!("{secret} and {key}")})).await.unwrap();
        assert_eq!(answer, json!({"echo": "[redacted] and [redacted]"}));
        // A cut must not leave half a secret that nobody knows for one.
        for text in [format!("no access with {secret}"), format!("{}{secret}", "x".repeat(1_990)), key.clone()] {
            let failure = bench.call("fail", json!({"text": text})).await.unwrap_err().to_string();
            assert!(!failure.contains("hunter2") && !failure.contains("sk-a1"), "{failure}");
            assert!(failure.contains("[redact"), "{failure}");
        }
        bench.end().await;
    });
}

#[test]
fn a_server_that_asks_for_roots_is_told_the_repository() {
    live(async {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let spec = ServerSpec { root: "/a repo".into(), ..fake(&["--ask-roots", "--log", log.to_str().unwrap()]) };
        let bench = Bench::of(vec![spec]);
        let line = logged(&log, "answer").await;
        assert_eq!(line, r#"answer {"roots":[{"name":"repository","uri":"file:///a%20repo"}]}"#);
        bench.end().await;
    });
}

#[test]
fn a_server_that_does_not_answer_three_calls_is_left_alone_and_asked_again_later() {
    live(async {
        let bench = Bench::of(vec![ServerSpec { tool_ms: 60, ..fake(&["--call-delay", "150"]) }]);
        for _ in 0..3 {
            assert!(bench.call("echo", json!({"text": 1})).await.is_err());
        }
        let begun = Instant::now();
        let refused = bench.call("echo", json!({"text": 1})).await;
        assert!(is_server_failure(&refused, "its last 3 calls had no answer: it is left alone for"), "{refused:?}");
        assert!(begun.elapsed() < Duration::from_millis(30), "{:?}", begun.elapsed());
        let later = async {
            // The pause is two seconds; then one call is let through, and has no answer either.
            loop {
                let outcome = bench.call("echo", json!({"text": 1})).await;
                if !is_server_failure(&outcome, "left alone") {
                    return outcome;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(later.await.is_err());
        let refused = bench.call("echo", json!({"text": 1})).await;
        assert!(is_server_failure(&refused, "its last 4 calls"), "{refused:?}");
        bench.end().await;
    });
}

#[test]
fn one_answer_lets_everybody_ask_again() {
    live(async {
        let bench = Bench::of(vec![ServerSpec { tool_ms: 100, ..fake(&[]) }]);
        for _ in 0..2 {
            assert!(bench.call("sleep", json!({"ms": 5_000})).await.is_err());
        }
        assert!(bench.call("echo", json!({"text": 1})).await.is_ok());
        for _ in 0..2 {
            assert!(bench.call("sleep", json!({"ms": 5_000})).await.is_err());
        }
        assert!(bench.call("echo", json!({"text": 1})).await.is_ok());
        bench.end().await;
    });
}

#[test]
fn a_server_that_answers_neither_calls_nor_pings_is_started_anew() {
    live(async {
        let flags = ["--one-at-a-time", "--no-ping"];
        let mut bench = Bench::of(vec![ServerSpec { tool_ms: 100, ..fake(&flags) }]);
        assert!(bench.call("sleep", json!({"ms": 600_000})).await.is_err());
        let (_, why) = bench.until_lost().await;
        assert_eq!(why, "it does not answer a ping");
        bench.until_ready().await;
        assert_eq!(bench.call("echo", json!({"text": 1})).await, Ok(json!({"echo": 1})));
        bench.end().await;
    });
}

#[test]
fn a_server_that_answers_pings_is_kept_however_slow_its_calls_are() {
    live(async {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let spec = ServerSpec { tool_ms: 300, ..fake(&["--log", log.to_str().unwrap()]) };
        let bench = Bench::of(vec![spec]);
        assert!(bench.call("sleep", json!({"ms": 600_000})).await.is_err());
        logged(&log, "ping").await;
        assert!(matches!(bench.status().await.state, State::Degraded { .. }));
        assert_eq!(bench.status().await.restarts, 0);
        bench.end().await;
    });
}
