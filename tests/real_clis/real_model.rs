//! claude and codex, asked through their presets by a real model on this machine (`.ci/real-model`). It is small: what it
//! says is not looked at, only that every part of the way holds.

use dicast::domain::failure::AgentError;

use crate::world::{Asking, Cli, World, live};

/// It has two shared cores to think with.
const TOTAL_MS: u64 = 400_000;

#[test]
#[ignore = "a real model: .ci/real-model"]
fn a_real_model_streams_ends_and_is_counted_through_the_real_programs() {
    let Ok(url) = std::env::var("DICAST_REAL_MODEL") else {
        eprintln!("skipped: DICAST_REAL_MODEL is not set; run .ci/real-model");
        return;
    };
    let url = &url;
    live([Cli::Claude, Cli::Codex], |cli| async move {
        let mut world = World::with_model(cli, url.trim_end_matches("/v1"));
        // Their own instructions and tools, and the schema of an answer, are longer than what such a model can read in time.
        world.asks_for_no_schema = true;
        match cli {
            Cli::Claude => {
                world.add_args(&["--bare", "--system-prompt", "You answer briefly.", "--tools", ""]);
                world.add_env("MAX_THINKING_TOKENS", "0");
            }
            Cli::Codex => {
                let file = world.repo().join("brief.md");
                std::fs::write(&file, "You answer briefly.\n").unwrap();
                let instructions = format!("model_instructions_file={file:?}");
                world.add_args(&["-c", &instructions, "-c", "tools.web_search=false"]);
            }
            Cli::Gemini | Cli::Opencode | Cli::Qwen => {}
        }
        let prompt = "Say hello in one word.".to_owned();
        let ended = world.take(Asking { prompt, idle_ms: TOTAL_MS, total_ms: TOTAL_MS, ..Asking::default() }).await;
        let outcome = ended.outcome.as_ref().map_err(|failed| &failed.error);
        let is_typed = matches!(outcome, Ok(_) | Err(AgentError::NoArtifact { .. }));
        assert!(is_typed, "{cli:?}: {outcome:?}\n{}\n{}", ended.raw.text, ended.stderr);
        assert!(ended.usage.input_tokens > 20 && ended.usage.output_tokens > 0, "{cli:?}: {:?}", ended.usage);
        assert!(ended.session.is_some(), "{cli:?}");
        assert!(cli != Cli::Claude || ended.raw.text.contains("text_delta"), "{cli:?}: {}", ended.raw.text);
        eprintln!("{cli:?}: {:?} in {} ms, {outcome:?}", ended.usage, ended.took_ms);
    });
}
