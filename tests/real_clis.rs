//! The presets against the real programs, at the versions that `.ci/real-parts` installs, talking to the scripted model
//! server on the loopback interface: what they answer, how they fail, that they only read, and that nothing is left.
//!
//! | what happens | claude, codex, gemini | opencode, qwen | over ACP |
//! |---|---|---|---|
//! | a valid answer, its tokens, a session | `a_question_is_answered_…` | the same | `one_process_is_asked_twice_…` |
//! | the answer's schema | `the_schema_is_asked_for_…` (gemini has none) | none | none |
//! | JSON among prose | `an_answer_among_prose_…` | the same | each answer is |
//! | the prompt or the schema given back | `what_was_sent_…` | | |
//! | 429, then an answer | `one_refusal_…` | | |
//! | 500, 503, 401, 429, a context that overflows | `every_failure_…` | `the_slower_programs_…` | `an_error_of_its_api_…` |
//! | nobody there | `an_api_that_nobody_…` | | |
//! | a stream that breaks off | `an_answer_that_breaks_off_…` | | |
//! | a hang, also in the middle | `an_api_that_hangs_…` | the same | |
//! | a stop, and a tool in a session of its own | `a_stop_in_mid_stream_…` | qwen | `a_stop_in_the_middle_…` |
//! | a write where it only reads | `an_attempt_to_write_…` | the same | the same name |
//! | a write where it may | `who_may_write_…` | refused by the config | claude, gemini: the same name |
//! | hooks and servers of the repository | `nothing_that_a_repository_…` | the same | `nothing_that_the_repository_…` |
//! | 900 kB of prompt | `a_prompt_of_900_…` | the same | |
//! | two of one program at once | `two_agents_…` | the same | |
//!
//! Ignored unless asked for: `.ci/real-parts` installs the programs, names their folder in `DICAST_REAL_PARTS`, and runs
//! these tests. Nothing here leaves the machine.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test stands outside: it drives a runtime, starts programs and looks at files and processes itself"
)]

#[path = "support/example.rs"]
mod example;
#[path = "support/model_server.rs"]
mod model_server;
#[path = "real_clis/real_model.rs"]
mod real_model;
#[path = "real_clis/spoken.rs"]
mod spoken;
#[path = "support/tagged.rs"]
mod tagged;
#[path = "real_clis/world.rs"]
mod world;

use std::path::Path;
use std::time::Duration;

use dicast::domain::artifact::sent_objects;
use dicast::domain::failure::{AgentError, Deadline};
use dicast::domain::run::{TurnEnded, Wanted};
use dicast::domain::stream::Usage;
use serde_json::{Value, json};

use world::{Asking, Cli, World, live, prompt};

const ALL: [Cli; 3] = [Cli::Claude, Cli::Codex, Cli::Gemini];

/// With those that are tested only where somebody asked for them: they are large and start slowly.
const EVERY: [Cli; 5] = [Cli::Claude, Cli::Codex, Cli::Gemini, Cli::Opencode, Cli::Qwen];

/// Tells whether an error is the one that was meant.
type IsRight = fn(&AgentError) -> bool;

/// A good answer: through the program's structured output where it has that, else as JSON among prose.
fn good() -> Value {
    json!({"text": "Let me think.\n```json\n{answer}\n```\n", "structured": true, "pieces": 4})
}

fn artifact(ended: &TurnEnded) -> Value {
    let text =
        ended.outcome.as_ref().unwrap_or_else(|failed| panic!("{failed:?}\n{}\n{}", ended.raw.text, ended.stderr));
    serde_json::from_str(text).unwrap()
}

fn error(ended: &TurnEnded) -> &AgentError {
    match &ended.outcome {
        Err(failed) => &failed.error,
        Ok(text) => panic!("answered: {text}"),
    }
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn a_question_is_answered_with_a_valid_artifact_its_tokens_and_a_session() {
    live(EVERY, |cli| async move {
        let world = World::new(cli, &good());
        let ended = world.take(Asking::default()).await;
        assert_eq!(artifact(&ended)["answers"][0]["value"], "yes", "{cli:?}");
        let Usage { input_tokens, cached_tokens, output_tokens, cost_micro_usd } = ended.usage;
        assert!(input_tokens >= 120 && cached_tokens >= 20 && output_tokens >= 34, "{cli:?}: {:?}", ended.usage);
        assert_eq!(cost_micro_usd.is_some(), matches!(cli, Cli::Claude | Cli::Opencode), "{cli:?}");
        assert!(ended.session.is_some(), "{cli:?}");
        assert_eq!(world.left_in_private(), 0, "{cli:?}");
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn the_schema_is_asked_for_where_the_program_can() {
    live([Cli::Claude, Cli::Codex], |cli| async move {
        let world = World::new(cli, &good());
        artifact(&world.take(Asking::default()).await);
        let requests = world.requests();
        let asked = requests.iter().any(|request| match cli {
            Cli::Claude => request["tools"].as_array().is_some_and(|tools| tools.contains(&json!("StructuredOutput"))),
            Cli::Codex => {
                let format = &request["body"]["text"]["format"];
                format["strict"] == true && format["schema"]["additionalProperties"] == false
            }
            Cli::Gemini | Cli::Opencode | Cli::Qwen => false,
        });
        assert!(asked, "{cli:?}: {requests:?}");
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn an_answer_among_prose_is_found() {
    live(EVERY, |cli| async move {
        let text = "Well.\n\n```json\n{answer}\n```\n\nThat is {all} I know.\n";
        let ended = World::new(cli, &json!({"text": text, "pieces": 9})).take(Asking::default()).await;
        assert_eq!(artifact(&ended)["schema"], "dicast.artifact/1", "{cli:?}");
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn what_was_sent_is_no_answer() {
    live(ALL, |cli| async move {
        let schema = format!("```json\n{}\n```", Asking::default().wanted.schema());
        for echo in ["{prompt}".to_owned(), schema] {
            let ended = World::new(cli, &json!({"text": echo})).take(Asking::default()).await;
            assert!(matches!(error(&ended), AgentError::NoArtifact { .. }), "{cli:?}: {:?}", error(&ended));
            assert!(ended.outcome.as_ref().is_err_and(|failed| failed.repair.is_some()), "{cli:?}");
        }
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn one_refusal_for_being_too_fast_is_overcome() {
    live(ALL, |cli| async move {
        let mut reply = good();
        reply["fault"] = json!({"status": {"status": 429, "retry_after": 1}});
        reply["first"] = json!(1);
        let world = World::new(cli, &reply);
        artifact(&world.take(Asking::default()).await);
        assert!(world.requests().len() >= 2, "{cli:?}");
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn every_failure_of_the_api_has_its_own_name() {
    live(ALL, |cli| async move {
        let status = |status: u16, words: &str| json!({"status": {"status": status, "message": words}});
        let cases: [(Value, IsRight); 5] = [
            (status(500, "internal server error"), |e| matches!(e, AgentError::Overloaded)),
            (status(503, "overloaded"), |e| matches!(e, AgentError::Overloaded)),
            (status(401, "invalid x-api-key"), |e| matches!(e, AgentError::Auth { .. })),
            (status(429, "slow down"), |e| matches!(e, AgentError::RateLimit { .. })),
            (status(400, "prompt is too long: 210000 tokens > 200000 maximum"), |e| {
                matches!(e, AgentError::ContextOverflow)
            }),
        ];
        for (fault, is_right) in cases {
            let world = World::new(cli, &json!({"text": "x", "fault": fault}));
            let ended = world.take(Asking::default()).await;
            let found = error(&ended);
            assert!(is_right(found), "{cli:?} {fault}: {found:?}\n{}\n{}", ended.raw.text, ended.stderr);
            assert!(!found.hint("it").is_empty());
            // Trying again is ours to decide: what it tries by itself is kept small.
            assert!(world.requests().len() <= 5, "{cli:?} {fault}: {} requests", world.requests().len());
        }
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn the_slower_programs_name_what_they_do_not_try_again() {
    // What may pass they try for minutes by themselves: there our own deadlines hold.
    live([Cli::Opencode, Cli::Qwen], |cli| async move {
        let cases: [(u16, &str, IsRight); 2] = [
            (401, "invalid api key", |e| matches!(e, AgentError::Auth { .. })),
            (400, "This model's maximum context length is 8192 tokens.", |e| matches!(e, AgentError::ContextOverflow)),
        ];
        for (status, words, is_right) in cases {
            let fault = json!({"status": {"status": status, "message": words}});
            let ended = World::new(cli, &json!({"text": "x", "fault": fault})).take(Asking::default()).await;
            assert!(is_right(error(&ended)), "{cli:?}: {:?}\n{}\n{}", error(&ended), ended.raw.text, ended.stderr);
        }
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn an_api_that_nobody_answers_at_is_the_network_or_our_deadline() {
    live(ALL, |cli| async move {
        let world = World::new(cli, &good()).with_nobody_there();
        let asking = Asking { total_ms: 15_000, ..Asking::default() };
        let ended = world.take(asking).await;
        let is_right = matches!(
            error(&ended),
            AgentError::Network { .. } | AgentError::Timeout { which: Deadline::Total | Deadline::Idle, .. }
        );
        assert!(is_right, "{cli:?}: {:?}\n{}\n{}", error(&ended), ended.raw.text, ended.stderr);
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn an_answer_that_breaks_off_is_never_taken_for_a_whole_one() {
    live(ALL, |cli| async move {
        let text = "one two three four five six seven eight nine ten ```json\n{answer}\n```";
        let reply = json!({"text": text, "pieces": 10, "delay_ms": 20, "fault": "disconnect_mid"});
        let ended = World::new(cli, &reply).take(Asking::default()).await;
        match cli {
            // It asks again for the whole in one piece, and gets it.
            Cli::Claude => assert_eq!(artifact(&ended)["stage"], "plan"),
            Cli::Codex | Cli::Gemini | Cli::Opencode | Cli::Qwen => {
                assert!(matches!(error(&ended), AgentError::Network { .. }), "{cli:?}: {:?}", error(&ended));
            }
        }
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn an_api_that_hangs_meets_our_deadline_and_nothing_is_left() {
    live(EVERY, |cli| async move {
        for fault in ["hang", "hang_mid"] {
            let reply = json!({"text": "one two three four five six", "pieces": 6, "fault": fault});
            let asking = Asking { idle_ms: 4_000, ..Asking::default() };
            let ended = World::new(cli, &reply).take(asking).await;
            let is_late =
                matches!(error(&ended), AgentError::Timeout { which: Deadline::Idle | Deadline::FirstEvent, .. });
            assert!(is_late, "{cli:?} {fault}: {:?}", error(&ended));
        }
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn a_stop_in_mid_stream_ends_everything_also_a_tool_in_a_session_of_its_own() {
    // opencode shows no words before the end.
    let streaming = EVERY.into_iter().filter(|cli| *cli != Cli::Opencode);
    live(streaming, |cli| async move {
        let tool = match cli {
            Cli::Claude => json!([{"name": "Bash", "input": {"command": "setsid sleep 300 & sleep 300"}}]),
            Cli::Codex => json!([{"name": "exec_command", "input": {"cmd": "setsid sleep 300 & sleep 300"}}]),
            Cli::Gemini | Cli::Opencode | Cli::Qwen => json!([]),
        };
        let words = "word ".repeat(400);
        let reply = json!({"text": words, "pieces": 200, "delay_ms": 50, "tools": tool});
        let mut world = World::new(cli, &reply);
        if cli == Cli::Claude {
            world.add_args(&["--tools", "Bash", "--allowedTools", "Bash"]);
        }
        // Codex says nothing while it writes: there the tool is the sign that it is at work.
        let sign = if tool == json!([]) { "word" } else { "sleep 300" };
        let ended = world.stop_at(Asking::default(), sign).await;
        assert_eq!(error(&ended), &AgentError::Cancelled, "{cli:?}");
        assert!(ended.took_ms < 60_000, "{cli:?}");
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn an_attempt_to_write_writes_nothing() {
    live(EVERY, |cli| async move {
        let world = World::unscripted(cli);
        let target = world.repo().join("pwned");
        let target = target.to_str().unwrap();
        let touch = format!("touch {target}; echo x > {target}");
        let tools = match cli {
            Cli::Claude => json!([
                {"name": "Write", "input": {"file_path": target, "content": "x"}},
                {"name": "Bash", "input": {"command": touch}},
            ]),
            Cli::Codex => json!([{"name": "exec_command", "input": {"cmd": touch}}]),
            Cli::Gemini | Cli::Qwen => json!([
                {"name": "write_file", "input": {"file_path": target, "content": "x"}},
                {"name": "run_shell_command", "input": {"command": touch}},
            ]),
            Cli::Opencode => json!([
                {"name": "write", "input": {"filePath": target, "content": "x"}},
                {"name": "bash", "input": {"command": touch, "description": "x"}},
            ]),
        };
        let mut reply = good();
        reply["tools"] = tools.clone();
        let world = world.scripted(&reply);
        let ended = world.take(Asking::default()).await;
        assert!(!world.repo().join("pwned").exists(), "{cli:?}");
        // It was tried, and the turn went on without it.
        assert!(world.requests().len() > tools.as_array().unwrap().len(), "{cli:?}: {:?}", world.requests());
        artifact(&ended);
    });
}

/// What the model of a program that may write has it do: change its worktree, and try the repository in each way it has.
pub(crate) fn writes(cli: Cli, tree: &Path, repo: &Path) -> Value {
    let at = |folder: &Path, name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (new, out, run) = (at(tree, "new.txt"), at(repo, "pwned"), format!("echo x > {}", at(repo, "ran")));
    match cli {
        Cli::Claude => json!([
            {"name": "Write", "input": {"file_path": new, "content": "new\n"}},
            {"name": "Write", "input": {"file_path": out, "content": "x"}},
            {"name": "Bash", "input": {"command": run}},
        ]),
        Cli::Codex => json!([
            {"name": "exec_command", "input": {"cmd": format!("echo new > {new}")}},
            {"name": "exec_command", "input": {"cmd": format!("echo x > {out}; {run}")}},
        ]),
        Cli::Gemini => json!([
            {"name": "write_file", "input": {"file_path": new, "content": "new\n"}},
            {"name": "write_file", "input": {"file_path": out, "content": "x"}},
            {"name": "run_shell_command", "input": {"command": run}},
        ]),
        Cli::Opencode | Cli::Qwen => json!([]),
    }
}

/// Sees that the worktree was changed, and the repository was not.
pub(crate) fn assert_written(cli: Cli, tree: &Path, repo: &Path, ended: &TurnEnded) {
    let written = std::fs::read_to_string(tree.join("new.txt"));
    assert_eq!(written.ok().as_deref(), Some("new\n"), "{cli:?}: {}", ended.raw.text);
    let left: Vec<_> = std::fs::read_dir(repo).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a.txt"], "{cli:?}: {}", ended.raw.text);
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn who_may_write_changes_its_worktree_and_not_the_repository() {
    live(ALL, |cli| async move {
        let world = World::unscripted(cli);
        let (tree, repo) = (world.worktree(), world.repo());
        let mut reply = good();
        reply["tools"] = writes(cli, &tree, &repo);
        let world = world.scripted(&reply);
        let ended = world.take(Asking { worktree: Some(tree.clone()), ..Asking::default() }).await;
        assert_written(cli, &tree, &repo, &ended);
        artifact(&ended);
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn nothing_that_a_repository_brings_is_run() {
    live(EVERY, |cli| async move {
        let world = World::new(cli, &good());
        let mark = world.repo().join("ran");
        world.bring(&mark);
        artifact(&world.take(Asking::default()).await);
        assert!(!mark.exists(), "{cli:?} ran: {}", std::fs::read_to_string(&mark).unwrap_or_default());
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn a_prompt_of_900_kilobytes_is_taken_whole() {
    live(EVERY, |cli| async move {
        let world = World::new(cli, &good());
        let text = format!("{}\n\n{}", "All of this is context, and more of it follows. ".repeat(18_750), prompt());
        assert!(text.len() > 900_000);
        let mut asking = Asking::default();
        if let Wanted::Artifact(expect) = &mut asking.wanted {
            expect.sent = sent_objects(&text);
        }
        asking.prompt = text;
        let ended = world.take(asking).await;
        if cli == Cli::Qwen {
            // It reckons that this is more than any model takes, and asks none.
            assert_eq!(error(&ended), &AgentError::ContextOverflow);
            return;
        }
        artifact(&ended);
        let longest = world.requests().iter().filter_map(|request| request["prompt_bytes"].as_u64()).max();
        assert!(longest.is_some_and(|bytes| bytes > 900_000), "{cli:?}: {longest:?}");
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn two_agents_of_one_program_work_at_once() {
    live(EVERY, |cli| async move {
        let mut reply = good();
        reply["delay_ms"] = json!(100);
        let world = World::new(cli, &reply);
        let (one, two) = futures::join!(world.take_beside(Asking::default()), world.take_beside(Asking::default()));
        artifact(&one);
        artifact(&two);
        assert_ne!(one.session, two.session);
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn a_second_turn_goes_on_with_the_session_and_pays_only_for_itself() {
    live(EVERY, |cli| async move {
        let world = World::new(cli, &good());
        let asking = Asking::default();
        let place = asking.place;
        let first = world.take(asking).await;
        let session = first.session.clone().unwrap();
        let before = world.requests().len();
        let again = Asking {
            prompt: format!("Once more.\n\n{}", prompt()),
            session: Some(session.clone()),
            place,
            ..Asking::default()
        };
        let second = world.take(again).await;
        artifact(&second);
        assert_eq!(second.session.as_ref().map(|session| &session.id), Some(&session.id), "{cli:?}");
        assert_eq!(second.usage.input_tokens, first.usage.input_tokens, "{cli:?}");
        let later = world.requests()[before..].iter().filter_map(|r| r["prompt_bytes"].as_u64()).max();
        assert!(
            later.is_some_and(|bytes| bytes as usize > 2 * prompt().len()),
            "{cli:?}: it remembers the first prompt"
        );
    });
}

/// How long a program may take to say its version.
const VERSION: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn the_versions_are_those_that_the_presets_were_verified_with() {
    live(EVERY, |cli| async move {
        let world = World::unscripted(cli);
        let said = world.version(VERSION).await;
        let known = match cli {
            Cli::Claude => "2.1.330",
            Cli::Codex => "0.169.0",
            Cli::Gemini => "0.61.0",
            Cli::Opencode => "1.18.33",
            Cli::Qwen => "0.24.4",
        };
        assert!(said.contains(known), "{cli:?}: {said}");
    });
}
