//! Servers that others wrote, at the versions that `.ci/real-parts` installs. Without them each test says that it was
//! skipped; `.ci/real-parts` fails where they could have been installed.
#![expect(clippy::print_stderr, reason = "a test that was skipped says so")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use dicast::domain::failure::Failure;
use dicast::domain::server::{ServerSpec, State};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Ask, Bench, child, fake, is_server_failure, live};

/// A server out of an npm package, by the name of its program.
fn npm(name: &str, args: &[&str]) -> Option<ServerSpec> {
    let Some(folder) = std::env::var_os("DICAST_REAL_PARTS") else {
        eprintln!("skipped: DICAST_REAL_PARTS is not set; run .ci/real-parts");
        return None;
    };
    let program = PathBuf::from(folder).join("node_modules/.bin").join(name);
    assert!(program.is_file(), "{} is not there: run .ci/real-parts", program.display());
    let mut spec = ServerSpec { tool_ms: 20_000, startup_ms: 30_000, ..fake(args) };
    child(&mut spec).command = program.to_str().unwrap().into();
    Some(spec)
}

#[test]
#[ignore = "real part: npm @modelcontextprotocol/server-everything"]
fn real_part_everything_is_understood() {
    let Some(spec) = npm("mcp-server-everything", &[]) else { return };
    live(async {
        let mut bench = Bench::of(vec![spec]);
        let status = bench.until_ready().await;
        assert!(status.identity.unwrap().as_str().starts_with("mcp-servers/everything "));
        let echo = bench.call("echo", json!({"message": "hello"})).await;
        assert_eq!(echo, Ok(json!("Echo: hello")));
        let weather = bench.call("get-structured-content", json!({"location": "Chicago"})).await.unwrap();
        assert!(weather["temperature"].is_number(), "{weather}");
        let refused = bench.call("get-sum", json!({"a": "no number"})).await;
        assert!(is_server_failure(&refused, "get-sum"), "{refused:?}");
        // It offers this one only to clients with roots, after the handshake.
        bench.until("its tool for roots", |status| status.tools.iter().any(|tool| tool == "get-roots-list")).await;
        let roots = bench.call("get-roots-list", json!({})).await.unwrap();
        assert!(roots.to_string().contains("file:///"), "{roots}");
        bench.end().await;
    });
}

#[test]
#[ignore = "real part: npm @modelcontextprotocol/server-everything"]
fn real_part_everything_tells_progress_and_is_cancelled() {
    let Some(spec) = npm("mcp-server-everything", &[]) else { return };
    live(async {
        let mut bench = Bench::of(vec![spec]);
        bench.until_ready().await;
        let token = CancellationToken::new();
        let ask = Ask {
            server: "fake".into(),
            tool: "trigger-long-running-operation".into(),
            args: json!({"duration": 15, "steps": 30}),
            patience_ms: 30_000,
            is_idempotent: false,
        };
        let reply = bench.handle.call(ask, token.clone());
        let status = bench.until("progress", |status| status.progress.is_some()).await;
        assert!(status.progress.unwrap().as_str().contains("of 30"));
        let begun = Instant::now();
        token.cancel();
        assert_eq!(reply.await, Err(Failure::Cancelled));
        assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
        assert_eq!(bench.call("echo", json!({"message": "x"})).await, Ok(json!("Echo: x")));
        bench.end().await;
    });
}

#[test]
#[ignore = "real part: npm @modelcontextprotocol/server-filesystem"]
fn real_part_filesystem_keeps_to_its_roots() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    let Some(spec) = npm("mcp-server-filesystem", &[root]) else { return };
    live(async {
        // What we say about roots replaces what it was started with.
        let mut bench = Bench::of(vec![ServerSpec { root: root.into(), ..spec }]);
        bench.until_ready().await;
        let file = format!("{root}/a.json");
        bench.call("write_file", json!({"path": file, "content": "{\"a\": 1}"})).await.unwrap();
        let read = bench.call("read_text_file", json!({"path": file})).await.unwrap();
        assert_eq!(read, json!({"content": "{\"a\": 1}"}));
        let outside = bench.call("read_text_file", json!({"path": "/etc/hostname"})).await;
        assert!(is_server_failure(&outside, "Access denied"), "{outside:?}");
        assert_eq!(bench.status().await.state, State::Ready);
        bench.end().await;
    });
}
