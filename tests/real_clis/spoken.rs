//! The presets that are spoken to over the Agent Client Protocol, against the real programs.

use dicast::domain::failure::AgentError;
use dicast::domain::run::{Turn, TurnKind};
use serde_json::{Value, json};

use crate::world::{Asking, Cli, World, live_spoken};
use crate::{EVERY, IsRight, artifact, assert_written, error, good, writes};

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn one_process_is_asked_twice_in_one_session_and_is_gone_with_its_run() {
    live_spoken(EVERY, |cli| async move {
        let mut world = World::spoken(cli, &good());
        let draft = world.turn(Asking::default());
        let ended = world.take_spoken(draft.clone()).await;
        assert_eq!(artifact(&ended)["answers"][0]["value"], "yes", "{cli:?}");
        assert!(ended.session.is_some(), "{cli:?}");
        // Qwen does not say what it used.
        let used = ended.usage;
        assert!(cli == Cli::Qwen || (used.input_tokens >= 120 && used.output_tokens >= 34), "{cli:?}: {used:?}");
        assert!(cli != Cli::Claude || used.cost_micro_usd.is_some(), "{cli:?}: {used:?}");
        let again = world.take_spoken(Turn { kind: TurnKind::Repair, ..draft.clone() }).await;
        artifact(&again);
        let words = |request: &Value| request["body"].to_string().matches("Plan it.").count();
        let asked = world.requests().iter().map(words).max().unwrap_or_default();
        assert!(asked >= 2, "{cli:?}: the second question follows the first in one conversation");
        world.dismiss(draft.seat.run).await;
        assert_eq!(world.left_in_private(), 0, "{cli:?}");
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn an_attempt_to_write_changes_nothing() {
    live_spoken(EVERY, |cli| async move {
        let file = |world: &World| world.repo().join("pwned").to_string_lossy().into_owned();
        let tools = |path: &str| match cli {
            Cli::Claude => json!([{"name": "Bash", "input": {"command": format!("touch {path}")}},
                {"name": "Write", "input": {"file_path": path, "content": "x"}}]),
            Cli::Codex => json!([{"name": "exec_command", "input": {"cmd": format!("touch {path}")}},
                {"name": "shell", "input": {"command": ["touch", path]}}]),
            Cli::Gemini => json!([{"name": "run_shell_command", "input": {"command": format!("touch {path}")}},
                {"name": "write_file", "input": {"file_path": path, "content": "x"}}]),
            Cli::Opencode => {
                json!([{"name": "bash", "input": {"command": format!("touch {path}"), "description": "x"}},
                {"name": "write", "input": {"filePath": path, "content": "x"}}])
            }
            Cli::Qwen => {
                json!([{"name": "run_shell_command", "input": {"command": format!("touch {path}"), "is_background": false}},
                {"name": "write_file", "input": {"file_path": path, "content": "x"}}])
            }
        };
        let bare = World::spoken(cli, &good());
        let path = file(&bare);
        let mut reply = good();
        reply["tools"] = tools(&path);
        let mut world = bare.scripted(&reply);
        let turn = world.turn(Asking::default());
        let run = turn.seat.run.clone();
        let ended = world.take_spoken(turn).await;
        assert!(!world.repo().join("pwned").exists(), "{cli:?} wrote: {}", ended.raw.text);
        assert!(world.requests().len() >= 2, "{cli:?} was asked to use its tools: {}", ended.raw.text);
        world.dismiss(run).await;
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn who_may_write_asks_before_and_changes_its_worktree_alone() {
    live_spoken([Cli::Gemini, Cli::Claude], |cli| async move {
        let world = World::spoken(cli, &good());
        let (tree, repo) = (world.worktree(), world.repo());
        let mut reply = good();
        reply["tools"] = writes(cli, &tree, &repo);
        let mut world = world.scripted(&reply);
        let turn = world.turn(Asking { worktree: Some(tree.clone()), ..Asking::default() });
        let run = turn.seat.run.clone();
        let ended = world.take_spoken(turn).await;
        assert_written(cli, &tree, &repo, &ended);
        artifact(&ended);
        world.dismiss(run).await;
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn an_error_of_its_api_has_a_name() {
    let limited: IsRight = |error| matches!(error, AgentError::RateLimit { .. });
    let refused: IsRight = |error| matches!(error, AgentError::Auth { .. });
    live_spoken([Cli::Gemini, Cli::Claude, Cli::Codex], |cli| async move {
        for (status, is_right) in [(401, refused), (429, limited)] {
            // Codex and the adapter of claude wait and try again for minutes when they are too fast.
            if status == 429 && cli != Cli::Gemini {
                continue;
            }
            let words = if status == 429 { "Resource exhausted" } else { "invalid api key" };
            let reply = json!({"fault": {"status": {"status": status, "message": words}}});
            let mut world = World::spoken(cli, &reply);
            let turn = world.turn(Asking::default());
            let run = turn.seat.run.clone();
            let ended = world.take_spoken(turn).await;
            assert!(is_right(error(&ended)), "{cli:?} {status}: {:?}", error(&ended));
            world.dismiss(run).await;
        }
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn a_stop_in_the_middle_is_obeyed_and_leaves_nothing() {
    live_spoken(EVERY, |cli| async move {
        let mut reply = good();
        reply["text"] = json!("Let me think about that for a long while.\nOne thing after the other.\n".repeat(40));
        (reply["structured"], reply["pieces"], reply["delay_ms"]) = (Value::Null, json!(400), json!(100));
        let mut world = World::spoken(cli, &reply);
        let ended = world.stop_at(Asking::default(), "think").await;
        assert_eq!(*error(&ended), AgentError::Cancelled, "{cli:?}");
    });
}

#[test]
#[ignore = "needs the real programs: .ci/real-parts"]
fn nothing_that_the_repository_brings_is_run() {
    live_spoken(EVERY, |cli| async move {
        let mut world = World::spoken(cli, &good());
        let mark = world.repo().join("ran");
        world.bring(&mark);
        let turn = world.turn(Asking::default());
        let run = turn.seat.run.clone();
        let ended = world.take_spoken(turn).await;
        assert!(!mark.exists(), "{cli:?} ran {}", std::fs::read_to_string(&mark).unwrap_or_default());
        artifact(&ended);
        world.dismiss(run).await;
    });
}
