//! Models over HTTP: the agents actor against a server that says what a script tells it (`examples/fake_model_server`), in
//! each API and with every fault that it can do.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test stands outside: it drives a runtime, starts a server, reads files and says what it skips itself"
)]

#[path = "support/example.rs"]
mod example;
#[path = "support/live.rs"]
mod live;
#[path = "support/model_server.rs"]
mod model_server;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dicast::actors::agents::process::Children;
use dicast::actors::agents::{self, Handle};
use dicast::actors::lanes::{LaneEnds, lanes};
use dicast::actors::mcp::{self, Connector, Processes};
use dicast::actors::{Scope, Waker};
use dicast::domain::artifact::{Expect, sent_objects};
use dicast::domain::budget::Price;
use dicast::domain::failure::{AgentError, Deadline, Failure};
use dicast::domain::ids::{AgentName, RunId};
use dicast::domain::moment::Moment;
use dicast::domain::redact::Redactor;
use dicast::domain::run::{Call, Limits, Purse, SeatKey, TurnEnded, TurnKind, Wanted};
use dicast::domain::server::{Program, Reach, ServerSpec};
use dicast::domain::settings::{Api, JsonMode, Lent, Service};
use dicast::domain::stage::Stage;
use dicast::domain::stream::Usage;
use dicast::domain::transcript::path_of;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use example::example;
use live::live;
use model_server::Server;

/// No test waits longer than this for an answer: a hang is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(20);

const SECRET: &str = "hunter2-is-a-secret";

/// Starts the model server with a script; what it is asked stands in `requests.jsonl`.
fn serve(folder: &Path, script: &Value) -> Server {
    let file = folder.join("script.json");
    fs::write(&file, script.to_string()).unwrap();
    Server::start(&file, &folder.join("requests.jsonl"))
}

/// A server, a repository and the actor between them.
struct World {
    folder: tempfile::TempDir,
    server: Server,
    scope: Scope,
    handle: Handle,
    ends: LaneEnds,
}

impl World {
    fn new(reply: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("repo/src")).unwrap();
        fs::write(folder.path().join("repo/src/a.rs"), format!("fn first() {{}}\nfn second() {{}}\n// {SECRET}\n"))
            .unwrap();
        fs::write(folder.path().join("repo/.env"), "PASSWORD=swordfish\n").unwrap();
        fs::write(folder.path().join("outside.txt"), "swordfish\n").unwrap();
        let server = serve(folder.path(), &json!({"*": reply}));
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let (lanes, ends) = lanes(Waker::nobody());
        let handle = agents::spawn(
            &scope,
            lanes,
            Children::new(&scope),
            folder.path().join("transcripts"),
            Redactor::new([SECRET.to_owned()]),
        );
        Self { folder, server, scope, handle, ends }
    }

    /// Makes a world with an MCP server, that is not asked to do anything by itself; what it hears stands in `mcp.log`.
    fn lending(reply: &Value) -> Self {
        let mut world = Self::new(reply);
        let (lanes, ends) = lanes(Waker::nobody());
        let children = Children::new(&world.scope);
        let connector: Arc<dyn Connector> = Arc::new(Processes::new(children.clone(), "mcp"));
        let path = |name: &str| world.folder.path().join(name).to_str().unwrap().to_owned();
        let spec = ServerSpec {
            name: "fake".into(),
            reach: Reach::Process(Program {
                command: example("fake_mcp_server").to_str().unwrap().to_owned(),
                args: vec!["--log".into(), path("mcp.log")],
                env: BTreeMap::new(),
                cwd: path("repo"),
            }),
            root: path("repo"),
            startup_ms: 10_000,
            tool_ms: 10_000,
        };
        let clock: mcp::Clock = Arc::new(|| Moment(0));
        let servers = mcp::spawn(&world.scope, &lanes, &clock, &connector, vec![spec]);
        let transcripts = world.folder.path().join("transcripts");
        let redactor = Redactor::new([SECRET.to_owned()]);
        world.handle = agents::spawn_beside(&world.scope, lanes, children, transcripts, redactor, Some(servers));
        world.ends = ends;
        world
    }

    fn call(&self, api: Api) -> Call {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        let prompt = prompt();
        let topics = vec!["D-001".into(), "D-002".into()];
        Call {
            seat: SeatKey {
                run: RunId::mint(Moment(u64::from(std::process::id())), counter, counter),
                stage: Stage::Plan,
                attempt: 1,
                agent: AgentName::new("far").unwrap(),
            },
            kind: TurnKind::Draft,
            service: Service {
                api,
                base_url: format!("{}/v1", self.server.url),
                key_env: None,
                json_mode: JsonMode::JsonSchema,
                tools: true,
                lent: Lent::default(),
            },
            model: "scripted".into(),
            max_output_tokens: 4_000,
            repo: self.folder.path().join("repo").to_str().unwrap().to_owned(),
            wanted: Wanted::Artifact(Expect { stage: Stage::Plan, topics, sent: sent_objects(&prompt) }),
            prompt: prompt.into(),
            session: None,
            purse: None,
            limits: Limits::default(),
        }
    }

    async fn take(&self, call: Call) -> TurnEnded {
        let stop = CancellationToken::new();
        self.handle.call(call, stop.clone(), stop).within(PATIENCE, "the turn").await.unwrap()
    }

    /// What the server was asked, in order.
    fn requests(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.folder.path().join("requests.jsonl")).unwrap_or_default();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn transcript(&self, seat: &SeatKey) -> String {
        fs::read_to_string(self.folder.path().join("transcripts").join(path_of(seat))).unwrap_or_default()
    }
}

fn prompt() -> String {
    let ask = json!({"schema": "dicast.ask/1", "spec_id": "001-x", "stage": "plan", "agent": "far", "attempt": 1,
        "agenda": [{"id": "D-001", "requirement": "FR-001", "ask": "Is FR-001 covered?", "unit": null},
                   {"id": "D-002", "requirement": null, "ask": "How many per second?", "unit": "1/s"}],
        "answer_schema": {"type": "object"}});
    format!("Plan it.\n\n```json\n{ask}\n```\n")
}

fn error(ended: &TurnEnded) -> &AgentError {
    match &ended.outcome {
        Ok(text) => panic!("an answer: {text}"),
        Err(failed) => &failed.error,
    }
}

fn artifact(ended: &TurnEnded) -> Value {
    match &ended.outcome {
        Ok(text) => serde_json::from_str(text).unwrap(),
        Err(failed) => panic!("{failed:?}\n{}", ended.raw.text),
    }
}

const SAYS: &str = "I have looked.\n```json\n{answer}\n```\n";

#[test]
fn every_api_streams_an_answer_with_its_usage_into_an_artifact_a_transcript_and_evidence() {
    live(|| async {
        for api in Api::ALL {
            let mut world = World::new(&json!({"text": SAYS, "pieces": 7}));
            let call = world.call(api);
            let seat = call.seat.clone();
            let ended = world.take(call).await;
            assert_eq!(artifact(&ended)["schema"], "dicast.artifact/1", "{api}");
            let used = Usage { input_tokens: 120, cached_tokens: 20, output_tokens: 34, cost_micro_usd: None };
            let counted = if api == Api::Anthropic { Usage { input_tokens: 140, ..used } } else { used };
            assert_eq!(ended.usage, counted, "{api}");
            assert!(world.transcript(&seat).starts_with("I have looked.\n"), "{api}: {}", world.transcript(&seat));
            let progress = world.ends.progress();
            assert!(progress.iter().any(|one| one.lines > 1 && one.bytes > 0 && one.usage == counted), "{progress:?}");
            let lines: Vec<Value> = ended.raw.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert!(lines[0]["to"].as_str().unwrap().starts_with(&world.server.url));
            assert_eq!((&lines[2]["reply"]["stop"], ended.survivors), (&json!("over"), 0));
            assert_eq!(world.requests()[0]["stream"], true);
        }
    });
}

#[test]
fn the_shape_is_asked_for_in_the_way_of_each_api_and_taken_from_there() {
    live(|| async {
        for api in Api::ALL {
            let world = World::new(&json!({"structured": true, "text": "no answer at all"}));
            let ended = world.take(world.call(api)).await;
            assert_eq!(artifact(&ended)["schema"], "dicast.artifact/1", "{api}");
            let mut plain = world.call(api);
            plain.service.json_mode = JsonMode::None;
            assert!(matches!(error(&world.take(plain).await), AgentError::NoArtifact { .. }), "{api}");
        }
    });
}

#[test]
fn every_refusal_and_every_broken_reply_has_its_class_and_says_what_to_do() {
    let status = |status: u16, message: &str| json!({"status": {"status": status, "message": message}});
    let table = [
        (json!({"status": {"status": 429, "retry_after": 7}}), "rate limited"),
        (status(500, "oops"), "overloaded"),
        (status(503, "oops"), "overloaded"),
        (status(529, "oops"), "overloaded"),
        (status(401, "who are you"), "a key is wanted (HTTP 401: who are you); set api_key_env"),
        (status(400, "response_format is not supported"), "set json_mode = \"none\""),
        (status(404, "no such model"), "correct base_url, api or model"),
        (status(400, "maximum context length is 10 tokens"), "does not fit its context"),
        (json!("disconnect"), "network: the request failed"),
        (json!("disconnect_mid"), "network: it hung up in the middle of its answer"),
        (json!("garbage"), "protocol: the request failed"),
    ];
    live(|| async {
        // What a status means is the same in each API (`domain::dialect`): they take turns.
        for ((fault, says), api) in table.into_iter().zip(Api::ALL.into_iter().cycle()) {
            let world = World::new(&json!({"text": SAYS, "pieces": 20, "fault": fault}));
            let ended = world.take(world.call(api)).await;
            let said = error(&ended).to_string();
            assert!(said.contains(says), "{api} {fault}: {said}");
            assert!(ended.raw.text.contains("\"error\""), "{}", ended.raw.text);
            assert_eq!(world.requests().len(), 1, "nothing is asked again here");
        }
    });
}

#[test]
fn a_server_that_asks_to_wait_is_believed_and_answers_the_next_time() {
    live(|| async {
        let fault = json!({"status": {"status": 429, "retry_after": 7}});
        let world = World::new(&json!({"text": SAYS, "fault": fault, "first": 1}));
        let ended = world.take(world.call(Api::OpenaiChat)).await;
        assert_eq!(error(&ended), &AgentError::RateLimit { retry_after_ms: Some(7_000) });
        // No server took it: it has cost nothing.
        assert_eq!((ended.took_ms, ended.usage), (0, Usage::default()));
        artifact(&world.take(world.call(Api::OpenaiChat)).await);
    });
}

#[test]
fn nobody_there_and_a_key_that_is_not_set_are_said_before_anything_is_sent() {
    live(|| async {
        let world = World::new(&json!({"text": SAYS}));
        let mut nobody = world.call(Api::OpenaiChat);
        nobody.service.base_url = "http://127.0.0.1:1/v1".into();
        let said = error(&world.take(nobody).await).to_string();
        assert!(said.contains("cannot be reached") && said.contains("is the server started?"), "{said}");
        let mut keyless = world.call(Api::OpenaiChat);
        keyless.service.key_env = Some("DICAST_TEST_NO_SUCH_KEY".into());
        let said = error(&world.take(keyless).await).to_string();
        assert!(said.contains("$DICAST_TEST_NO_SUCH_KEY is not set"), "{said}");
        assert!(world.requests().is_empty());
    });
}

#[test]
fn each_silence_meets_its_own_deadline() {
    let late = |ended: &TurnEnded| {
        let AgentError::Timeout { which, .. } = error(ended) else { panic!("{ended:?}") };
        *which
    };
    live(|| async {
        let world = World::new(&json!({"text": SAYS, "fault": "hang"}));
        let mut call = world.call(Api::Anthropic);
        call.limits.first_event_ms = 150;
        assert_eq!(late(&world.take(call).await), Deadline::FirstEvent);
        let world = World::new(&json!({"text": SAYS, "pieces": 20, "fault": "hang_mid"}));
        let mut call = world.call(Api::Anthropic);
        call.limits.idle_ms = 150;
        assert_eq!(late(&world.take(call).await), Deadline::Idle);
        let mut call = world.call(Api::OpenaiResponses);
        call.limits.total_ms = 150;
        assert_eq!(late(&world.take(call).await), Deadline::Total);
    });
}

#[test]
fn a_stop_ends_a_reply_in_the_middle_at_once() {
    live(|| async {
        let mut world = World::new(&json!({"text": SAYS, "pieces": 20, "fault": "hang_mid"}));
        for kills in [false, true] {
            let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
            let call = world.call(Api::OpenaiChat);
            // The last picture of the turn before.
            world.ends.progress();
            let turn = world.handle.call(call, stop.clone(), kill.clone());
            // The first words are on the screen: it is in the middle.
            let end = Instant::now() + PATIENCE;
            while world.ends.progress().is_empty() {
                assert!(Instant::now() < end);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let asked = Instant::now();
            if kills {
                kill.cancel()
            } else {
                stop.cancel()
            }
            let ended = turn.within(PATIENCE, "the end").await.unwrap();
            assert_eq!((error(&ended), ended.survivors), (&AgentError::Cancelled, 0));
            assert!(ended.raw.text.contains("said so far"), "what it said is kept: {}", ended.raw.text);
            assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
        }
        let turn = world.handle.call(world.call(Api::OpenaiChat), CancellationToken::new(), CancellationToken::new());
        world.scope.cancel.cancel();
        match turn.within(PATIENCE, "the end").await {
            Ok(ended) => assert_eq!(error(&ended), &AgentError::Cancelled),
            Err(failure) => assert_eq!(failure, Failure::Cancelled),
        }
    });
}

#[test]
fn an_answer_without_an_end_is_cut_at_its_limit() {
    live(|| async {
        let world = World::new(&json!({"text": "x".repeat(3 << 20), "pieces": 400}));
        let mut call = world.call(Api::OpenaiChat);
        call.limits.stdout_max = 1 << 20;
        let ended = world.take(call).await;
        assert!(matches!(error(&ended), AgentError::Protocol { why } if why.contains("1048576 bytes")), "{ended:?}");
        let large = world.take(world.call(Api::OpenaiChat)).await;
        assert!(matches!(error(&large), AgentError::NoArtifact { .. }));
        assert!(large.raw.bytes > 3 << 20 && large.raw.text.len() < 600 << 10, "{}", large.raw.bytes);
    });
}

/// What tools gave back to the model, in order, as it stands in the last request.
fn results(world: &World) -> Vec<String> {
    let requests = world.requests();
    let body = &requests.last().unwrap()["body"];
    let messages = body["messages"].as_array().or(body["input"].as_array()).unwrap();
    let parts = messages.iter().flat_map(|message| match message["content"].as_array() {
        Some(parts) => parts.iter().collect::<Vec<_>>(),
        None => vec![message],
    });
    let is_result = |part: &&Value| {
        part["role"] == "tool" || part["type"] == "tool_result" || part["type"] == "function_call_output"
    };
    let text = |part: &Value| part["content"].as_str().or(part["output"].as_str()).unwrap().to_owned();
    parts.filter(is_result).map(text).collect()
}

#[test]
fn a_model_reads_the_repository_and_nothing_beside_it() {
    let tools = json!([
        {"name": "list_files", "input": {}},
        {"name": "read_file", "input": {"path": "src/a.rs", "from_line": 2}},
        {"name": "search_text", "input": {"text": "second"}},
        {"name": "read_file", "input": {"path": "../outside.txt"}},
        {"name": "read_file", "input": {"path": "/etc/passwd"}},
        {"name": "read_file", "input": {"path": ".env"}},
        {"name": "search_text", "input": {"text": "swordfish"}},
        {"name": "Bash", "input": {"command": "touch pwned"}},
    ]);
    live(|| async {
        for api in Api::ALL {
            let world = World::new(&json!({"structured": true, "text": SAYS, "tools": tools}));
            let call = world.call(api);
            let seat = call.seat.clone();
            let ended = world.take(call).await;
            artifact(&ended);
            let told = results(&world);
            assert_eq!(told[0], "src/a.rs", "{api}");
            // What is secret here is blanked before it goes to anybody.
            assert_eq!(told[1], "2\tfn second() {}\n3\t// [redacted]\n", "{api}");
            assert_eq!(told[2], "src/a.rs:2: fn second() {}", "{api}");
            assert!(told[3].contains("not inside the repository") && told[4].contains("not inside"), "{told:?}");
            assert!(told[5].contains("there is no file or folder .env that may be read"), "{told:?}");
            assert_eq!(told[6], "(it stands nowhere)");
            assert!(told[7].contains("there is no tool \"Bash\""), "{told:?}");
            assert!(!world.folder.path().join("repo/pwned").exists());
            assert_eq!((world.requests().len(), ended.usage.output_tokens), (9, 9 * 34), "every reply is counted");
            let transcript = world.transcript(&seat);
            assert!(
                transcript.contains("▸ read_file src/a.rs") && transcript.contains("↳ 2 fn second()"),
                "{transcript}"
            );
            for kept in [&transcript, &*ended.raw.text] {
                assert!(!kept.contains(SECRET) && !kept.contains("PASSWORD"), "{kept}");
            }
        }
    });
}

#[test]
fn tools_of_mcp_servers_are_offered_called_and_told_in_each_api_and_an_error_of_one_is_a_result() {
    live(|| async {
        for api in Api::ALL {
            let calls = json!([
                {"name": "fake__echo", "input": {"text": format!("it says {SECRET}")}},
                {"name": "fake__fail", "input": {"text": "no such thing"}},
                {"name": "fake__delete", "input": {"key": "x"}},
            ]);
            let world = World::lending(&json!({"text": SAYS, "tools": calls}));
            let mut call = world.call(api);
            call.service.lent.servers = ["fake".to_owned(), "gone".to_owned()].into();
            call.service.lent.tools = ["fake__fail".to_owned()].into();
            let seat = call.seat.clone();
            let ended = world.take(call).await;
            assert_eq!(artifact(&ended)["schema"], "dicast.artifact/1", "{api}");
            let requests = world.requests();
            let offered = requests[0]["body"]["tools"].to_string();
            assert!(
                offered.contains("fake__echo") && offered.contains("fake__fail") && !offered.contains("fake__delete")
            );
            let last = requests.last().unwrap()["body"].to_string();
            assert!(last.contains("it says [redacted]") && last.contains("no such thing"), "{api}: {last}");
            assert!(last.contains("there is no tool"), "{api}: {last}");
            let transcript = world.transcript(&seat);
            for told in ["· MCP server gone lends nothing", "store_memory, delete may change something", "fake__echo"]
            {
                assert!(transcript.contains(told), "{told:?} in {transcript}");
            }
            world.scope.cancel.cancel();
        }
    });
}

#[test]
fn a_stop_also_ends_what_an_mcp_server_is_asked_for_a_model() {
    live(|| async {
        let calls = json!([{"name": "fake__sleep", "input": {"ms": 5_000}}]);
        let world = World::lending(&json!({"text": SAYS, "tools": calls}));
        let mut call = world.call(Api::Anthropic);
        call.service.lent.servers = ["fake".to_owned()].into();
        let stop = CancellationToken::new();
        let turn = world.handle.call(call, stop.clone(), stop.clone());
        let until = Instant::now() + PATIENCE;
        let heard = |word: &str| {
            let log = fs::read_to_string(world.folder.path().join("mcp.log")).unwrap_or_default();
            log.lines().any(|line| line.starts_with(word))
        };
        let waits_for = async |word: &str| {
            while !heard(word) {
                assert!(Instant::now() < until, "{word}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        waits_for("tools/call").await;
        stop.cancel();
        let ended = turn.within(PATIENCE, "the end").await.unwrap();
        assert_eq!(error(&ended), &AgentError::Cancelled);
        waits_for("notifications/cancelled").await;
        world.scope.cancel.cancel();
    });
}

#[test]
fn a_model_that_only_calls_tools_is_told_when_it_is_over() {
    let endless: Vec<Value> = (0..60).map(|_| json!({"name": "list_files", "input": {}})).collect();
    live(|| async {
        let world = World::new(&json!({"text": SAYS, "tools": endless}));
        let ended = world.take(world.call(Api::OpenaiChat)).await;
        assert!(matches!(error(&ended), AgentError::Protocol { why } if why.contains("may not use")), "{ended:?}");
        let requests = world.requests();
        assert_eq!((requests.len(), &requests[40]["body"]["tool_choice"]), (41, &json!("none")));
        assert!(requests[39]["body"]["tool_choice"].is_null());
        // Each look sends everything again: it is over as well when only the answer can still be paid.
        let world = World::new(&json!({"text": SAYS, "tools": endless}));
        let mut call = world.call(Api::OpenaiChat);
        let price = Price { input_micro_usd: 1_000_000, output_micro_usd: 1_000_000 };
        call.purse = Some(Purse { price, left_micro_usd: 5_000 });
        world.take(call).await;
        let forbidden: Vec<bool> = world.requests().iter().map(|one| one["body"]["tool_choice"] == "none").collect();
        assert_eq!(forbidden, [false, false, false, false, false, true]);
    });
}

#[test]
#[ignore = "a real model: .ci/real-model"]
fn a_real_model_streams_ends_and_is_counted_in_each_api() {
    let Ok(url) = std::env::var("DICAST_REAL_MODEL") else {
        eprintln!("skipped: DICAST_REAL_MODEL is not set; run .ci/real-model");
        return;
    };
    // It is small and slow: what it says is not looked at, only that every part of the way holds.
    let patience = Duration::from_secs(240);
    live(|| async {
        for (api, mode, tools) in [
            (Api::OpenaiChat, JsonMode::JsonSchema, false),
            (Api::OpenaiChat, JsonMode::None, true),
            (Api::OpenaiResponses, JsonMode::None, false),
            (Api::Anthropic, JsonMode::None, false),
        ] {
            let mut world = World::new(&json!({}));
            let mut call = world.call(api);
            call.service.base_url.clone_from(&url);
            (call.service.json_mode, call.service.tools, call.max_output_tokens) = (mode, tools, 40);
            (call.limits.first_event_ms, call.limits.total_ms) = (200_000, 230_000);
            let seat = call.seat.clone();
            let stop = CancellationToken::new();
            let ended = world.handle.call(call.clone(), stop.clone(), stop).within(patience, "the turn").await.unwrap();
            let outcome = ended.outcome.as_ref().map_err(|failed| &failed.error);
            assert!(matches!(outcome, Ok(_) | Err(AgentError::NoArtifact { .. })), "{api}: {outcome:?}");
            assert!(
                ended.usage.input_tokens > 20 && (1..=41).contains(&ended.usage.output_tokens),
                "{:?}",
                ended.usage
            );
            assert!(ended.raw.text.contains("\"stop\":\"over\"") || ended.raw.text.contains("\"stop\":\"length\""));
            assert!(!world.transcript(&seat).is_empty() && ended.session.is_some());
            eprintln!("{api} {mode:?} tools {tools}: {:?} in {} ms, {outcome:?}", ended.usage, ended.took_ms);
            // And once more, stopped as soon as it speaks.
            world.ends.progress();
            let stop = CancellationToken::new();
            call.seat.attempt = 2;
            let turn = world.handle.call(call, stop.clone(), stop.clone());
            let end = Instant::now() + patience;
            while world.ends.progress().is_empty() {
                assert!(Instant::now() < end);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let asked = Instant::now();
            stop.cancel();
            assert_eq!(error(&turn.within(patience, "the end").await.unwrap()), &AgentError::Cancelled);
            assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        }
    });
}

#[test]
fn the_repair_and_the_round_go_on_with_the_same_conversation() {
    live(|| async {
        for api in Api::ALL {
            let world = World::new(&json!({"structured": {"schema": "wrong"}, "text": "no answer"}));
            let first = world.take(world.call(api)).await;
            let Err(failed) = &first.outcome else { panic!("{first:?}") };
            let session = first.session.clone().unwrap();
            let mut repair = world.call(api);
            repair.kind = TurnKind::Repair;
            repair.prompt = failed.repair.clone().unwrap().into();
            repair.session = Some(session.clone());
            world.take(repair).await;
            let requests = world.requests();
            let length = |n: usize| {
                let body = &requests[n]["body"];
                body["messages"].as_array().or(body["input"].as_array()).unwrap().len()
            };
            assert_eq!((length(0), length(1)), (1, 3), "{api}: {}", requests[1]["body"]);
            // A conversation that is not kept any more is not begun anew behind anybody's back.
            let mut late = world.call(api);
            late.session = Some(session.clone());
            assert!(matches!(error(&world.take(late).await), AgentError::Protocol { why } if why.contains("not kept")));
            // What stands open needs nothing before it: it is asked in a new one, under another name.
            let mut round = world.call(api);
            (round.kind, round.session) = (TurnKind::Round, Some(session.clone()));
            let seat = round.seat.clone();
            let voted = world.take(round).await;
            assert!(voted.session.is_some_and(|now| now.id != session.id && now.id.ends_with("-anew")), "{api}");
            assert!(world.transcript(&seat).contains("· a new conversation"), "{}", world.transcript(&seat));
        }
    });
}

#[test]
fn a_secret_that_a_model_says_is_kept_nowhere() {
    live(|| async {
        for api in Api::ALL {
            let mut world = World::new(&json!({"text": format!("The password is {SECRET}.\n{SAYS}"), "pieces": 60}));
            let call = world.call(api);
            let seat = call.seat.clone();
            let ended = world.take(call).await;
            let shown: String = world.ends.progress().iter().map(|one| format!("{one:?}")).collect();
            let said = ended.said.clone().unwrap();
            for kept in [&world.transcript(&seat), &*ended.raw.text, &shown, &*said, &format!("{:?}", ended.outcome)] {
                assert!(!kept.contains(SECRET) && !kept.contains("hunter2"), "{kept}");
            }
            assert!(world.transcript(&seat).contains("The password is [redacted]."));
        }
    });
}

/// A home, a repository with a spec, and the program.
struct Whole {
    folder: tempfile::TempDir,
    server: Server,
}

const SPEC: &str = "# Rate limiter\n\n## Requirements\n\n\
    - **FR-001**: System MUST refuse more than 10 requests a second with status 429.\n";

const KEY: &str = "a-key-that-nobody-may-see-9";

impl Whole {
    fn new(script: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in
            [("repo/specs/001-limiter/spec.md", SPEC), ("repo/src/limiter.rs", "fn limit() {}\n"), ("home/x", "")]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let server = serve(folder.path(), script);
        let config = format!(
            "[[agents]]\nname = \"ada\"\nkind = \"api\"\nfamily = \"one\"\napi = \"openai-chat\"\nmodel = \"chat\"\n\
             base_url = \"{0}/v1/\"\napi_key_env = \"MY_MODEL\"\nretry = {{ max = 2, base_ms = 20, cap_ms = 50 }}\n\
             [[agents]]\nname = \"ben\"\nkind = \"api\"\nfamily = \"two\"\napi = \"anthropic\"\nmodel = \"claude\"\n\
             base_url = \"{0}\"\napi_key_env = \"MY_MODEL\"\n\
             [prices.\"chat\"]\ninput_per_mtok_usd = \"1.00\"\noutput_per_mtok_usd = \"2.00\"\n\
             [memory]\n",
            server.url
        );
        fs::write(folder.path().join("config.toml"), config).unwrap();
        let whole = Self { folder, server };
        for words in
            [&["init", "-q"][..], &["add", "."], &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]]
        {
            assert!(whole.command("git").args(words).status().unwrap().success());
        }
        whole
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path().join("repo")).env_clear().stdin(Stdio::null());
        command.env("HOME", self.folder.path().join("home")).env("PATH", std::env::var_os("PATH").unwrap());
        command.env("MY_MODEL", KEY);
        command
    }

    /// Runs the program; returns its exit code and all that it says.
    fn dicast(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = self.command(env!("CARGO_BIN_EXE_dicast"));
        let config = self.folder.path().join("config.toml");
        let done = command.arg("--config").arg(config).args(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
    }

    /// Every byte that was left in the repository and the home.
    fn left(&self) -> String {
        fn below(folder: &Path, out: &mut String) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    below(&path, out);
                } else if path.is_file() {
                    out.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
                }
            }
        }
        let mut out = String::new();
        ["repo", "home"].iter().for_each(|name| below(&self.folder.path().join(name), &mut out));
        out
    }
}

#[test]
fn two_families_over_http_reach_a_verdict_and_their_key_is_nowhere() {
    let busy = json!({"status": {"status": 429, "message": format!("not with {KEY}")}});
    let whole = Whole::new(&json!({
        "chat": {"structured": true, "text": format!("{KEY}"), "fault": busy, "first": 1},
        "claude": {"structured": true, "tools": [{"name": "read_file", "input": {"path": "src/limiter.rs"}}]},
    }));
    let (exit, out, err) = whole.dicast(&["--json", "--yes", "plan", "001-limiter"]);
    assert_eq!(exit, 0, "{out}\n{err}");
    let events: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let finished = |agent: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["type"] == "agent.finished" && event["agent"] == agent).collect()
    };
    assert_eq!(
        (&finished("ada")[0]["status"], &finished("ada")[0]["cost_micro_usd"]),
        (&json!("rate_limited"), &Value::Null)
    );
    let answered = finished("ada")[1];
    assert_eq!(
        (&answered["status"], &answered["attempt"], &answered["cost_micro_usd"]),
        (&json!("ok"), &json!(2), &json!(188))
    );
    assert_eq!(finished("ben")[0]["tokens"]["output"], 68, "both replies are counted");
    let verdict = events.iter().find(|event| event["type"] == "stage.verdict").unwrap();
    assert_eq!(verdict["status"], "agree", "{out}");
    let left = whole.left();
    assert!(left.contains("dicast.verdict/1") && left.contains("read_file"));
    for said in [&out, &err, &left] {
        assert!(!said.contains(KEY));
    }
    let log = fs::read_to_string(whole.folder.path().join("requests.jsonl")).unwrap();
    assert!(log.lines().all(|line| line.contains("\"has_key\":true")), "{log}");
}

#[test]
fn models_over_http_are_listed_with_their_address_and_nobody_is_asked() {
    let whole = Whole::new(&json!({}));
    let (exit, out, _) = whole.dicast(&["agents"]);
    assert_eq!(exit, 0);
    let ben = format!("ben: anthropic at {}, model claude, key in $MY_MODEL", whole.server.url);
    assert!(out.contains(&ben) && out.contains("ready"), "{out}");
    let mut keyless = whole.command(env!("CARGO_BIN_EXE_dicast"));
    keyless.env_remove("MY_MODEL").arg("--config").arg(whole.folder.path().join("config.toml"));
    let said = String::from_utf8(keyless.arg("agents").output().unwrap().stdout).unwrap();
    assert!(said.contains("NO KEY") && said.contains("next: export MY_MODEL=…"), "{said}");
    let (_, doctor, _) = whole.dicast(&["doctor"]);
    assert!(doctor.contains("ada openai-chat at") && !doctor.contains(KEY), "{doctor}");
    assert!(!whole.folder.path().join("requests.jsonl").metadata().is_ok_and(|log| log.len() > 0));
}
