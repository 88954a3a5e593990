//! The presets against what the real programs wrote (recorded/, from claude 2.1.330, codex 0.169.0, gemini 0.61.0,
//! opencode 1.18.33 and qwen 0.24.4 talking to the project's own scripted model server; times, ids of messages and paths taken out).

use super::*;
use crate::domain::preset::preset;

fn read(name: &str, lines: &str) -> (Account, Vec<Event>) {
    let mut account = Account::new(preset(name).unwrap().dialect());
    let events = lines.lines().flat_map(|line| account.line(line)).collect();
    (account, events)
}

macro_rules! recorded {
    ($preset:literal, $case:literal) => {
        read($preset, include_str!(concat!("recorded/", $preset, "-", $case, ".jsonl")))
    };
}

fn tools(events: &[Event]) -> Vec<(&str, &str)> {
    let mut tools = Vec::new();
    for event in events {
        if let Event::Called(name, input) = event {
            tools.push((name.as_str(), input.as_str()));
        }
    }
    tools
}

#[test]
fn what_a_program_checked_itself_is_the_first_answer() {
    let artifact = "{\"schema\":\"dicast.artifact/1\",\"stage\":\"plan\",\"summary\":\"one step\"}";
    for (account, _) in [recorded!("claude", "structured"), recorded!("codex", "structured")] {
        assert_eq!(account.end, Some(End::Ok));
        assert_eq!(account.answers()[0], artifact);
        assert!(account.session.as_deref().is_some_and(|session| session.len() == 36));
    }
}

#[test]
fn tokens_and_cost_are_those_that_the_program_names() {
    let used = |input, cached, output, cost| Usage {
        input_tokens: input,
        cached_tokens: cached,
        output_tokens: output,
        cost_micro_usd: cost,
    };
    // Anthropic counts tokens from a cache apart, the others among the prompt's.
    assert_eq!(recorded!("claude", "structured").0.usage(Usage::default()), used(140, 20, 34, Some(1_164)));
    assert_eq!(recorded!("codex", "tool").0.usage(Usage::default()), used(360, 60, 102, None));
    assert_eq!(recorded!("gemini", "deltas").0.usage(Usage::default()), used(120, 20, 34, None));
    assert_eq!(recorded!("opencode", "tool").0.usage(Usage::default()), used(240, 40, 68, Some(0)));
    assert_eq!(recorded!("qwen", "tool").0.usage(Usage::default()), used(240, 40, 68, None));
    // codex and qwen count the whole session, the others a turn.
    let before = used(120, 20, 34, None);
    assert_eq!(recorded!("codex", "tool").0.usage(before), used(240, 40, 68, None));
    assert_eq!(recorded!("qwen", "tool").0.usage(before), used(120, 20, 34, None));
    assert_eq!(recorded!("gemini", "deltas").0.usage(before), used(120, 20, 34, None));
}

#[test]
fn text_arrives_piece_by_piece_and_a_prompt_given_back_is_not_text() {
    let (account, events) = recorded!("gemini", "deltas");
    let pieces = events.iter().filter(|event| matches!(event, Event::Delta(_))).count();
    assert_eq!((pieces, account.end), (6, Some(End::Ok)));
    assert_eq!(account.answers(), ["Let me think.\n```json\n{\"a\":1}\n```\n"]);
}

#[test]
fn tools_are_named_with_what_they_are_given_and_what_was_said_before_them_is_no_answer() {
    let (claude, events) = recorded!("claude", "tool");
    assert_eq!(tools(&events)[0], ("Read", "/repo/a.txt"));
    assert!(events.iter().any(|event| matches!(event, Event::Returned(text) if text.contains("hello"))));
    assert_eq!(claude.answers()[0], "Done.");
    let (codex, events) = recorded!("codex", "tool");
    assert_eq!(tools(&events), [("command_execution", "/bin/bash -lc 'cat a.txt'")]);
    assert_eq!(codex.answers(), ["Done."]);
    let (gemini, events) = recorded!("gemini", "tool");
    assert_eq!(
        tools(&events).iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["read_file", "run_shell_command", "write_file"]
    );
    assert_eq!(gemini.answers(), ["Done."]);
    for (account, events) in [recorded!("opencode", "tool"), recorded!("qwen", "tool")] {
        assert!(tools(&events)[0].0.starts_with("read") && tools(&events)[0].1.contains("/repo/a.txt"), "{events:?}");
        assert!(events.iter().any(|event| matches!(event, Event::Returned(text) if text.contains("hello"))));
        assert_eq!((account.end, account.answers()[0].as_str()), (Some(End::Ok), "done {\"x\":1}"));
        assert!(account.session.is_some());
    }
}

#[test]
fn a_failure_is_one_whatever_else_the_line_says() {
    let cases = [
        (recorded!("claude", "rate-limit"), "Request rejected (429)", Some(429)),
        (recorded!("claude", "auth"), "Invalid API key", Some(401)),
        (recorded!("claude", "context"), "Prompt is too long", Some(400)),
        (recorded!("codex", "rate-limit"), "429 Too Many Requests", None),
        (recorded!("codex", "auth"), "401 Unauthorized", None),
        (recorded!("codex", "overloaded"), "high demand", None),
        (recorded!("codex", "network"), "stream disconnected", None),
        (recorded!("gemini", "auth"), "invalid x-api-key", None),
        (recorded!("opencode", "auth"), "bad key", Some(401)),
        (recorded!("opencode", "context"), "maximum context length", None),
        (recorded!("opencode", "rate-limit"), "the script says so", Some(429)),
        (recorded!("qwen", "auth"), "401 bad key", None),
        (recorded!("qwen", "context"), "maximum context length", None),
        (recorded!("gemini", "cut"), "without a finish reason", None),
    ];
    for ((account, _), words, status) in cases {
        assert_eq!(account.end, Some(End::Failed), "{words}");
        assert!(account.error.as_deref().is_some_and(|error| error.contains(words)), "{words}: {:?}", account.error);
        assert_eq!(account.http_status, status, "{words}");
    }
}

#[test]
fn a_retry_of_the_programs_own_is_told_with_the_wait_that_its_api_asked_for() {
    let (account, events) = recorded!("claude", "rate-limit");
    assert_eq!(account.retry_after_ms, Some(7_739));
    assert!(events.contains(&Event::Retrying("rate_limit".into())));
    let (_, events) = recorded!("codex", "network");
    assert!(events.iter().any(|event| matches!(event, Event::Retrying(why) if why.starts_with("Reconnecting... 1/1"))));
}

#[test]
fn what_is_no_json_is_noise_and_changes_nothing() {
    let (account, events) = read("codex", "warming up\n\n[1,2]\n{\"type\":\"turn.completed\"}\n");
    assert_eq!(events, [Event::Noise("warming up".into()), Event::Noise("[1,2]".into())]);
    assert_eq!(account.end, Some(End::Ok));
}

#[test]
fn a_whole_output_is_read_as_one_value_or_as_a_list_of_them() {
    let rules =
        [("answer", "response"), ("ok", "response and not error"), ("failed", "error"), ("error", "error.message")];
    let of = |output: &str| {
        let mut account = Account::new(Dialect::of(&rules).unwrap());
        account.whole(output);
        (account.end, account.answers().pop().or(account.error))
    };
    assert_eq!(of("{\n \"response\": \"hi\"\n}\n"), (Some(End::Ok), Some("hi".into())));
    assert_eq!(of("[{\"x\":1},{\"response\":\"ho\"}]"), (Some(End::Ok), Some("ho".into())));
    assert_eq!(of("{\"error\":{\"message\":\"no\"}}"), (Some(End::Failed), Some("no".into())));
    assert_eq!(of("not json"), (None, None));
}

#[test]
fn costs_that_no_program_would_print_are_cut_off() {
    for (dollars, micro) in
        [(0.003_492_000_000_000_000_3, 3_492), (-1.0, 0), (f64::NAN, 0), (1e300, 1_000_000_000_000_000)]
    {
        assert_eq!(micro_usd(dollars), micro);
    }
}

#[test]
fn what_could_pass_for_a_flag_names_no_session() {
    for (id, is_one) in [("01a2-b_c.d", true), ("-c", false), ("a b", false), ("a\nb", false), ("../x", false)] {
        assert_eq!(is_session(id), is_one, "{id:?}");
    }
    assert!(!is_session(&"a".repeat(SESSION_MAX + 1)));
}
