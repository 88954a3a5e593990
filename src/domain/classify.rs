//! What a program's last words mean: an exit and a tail of text become a typed [`AgentError`].
//!
//! It must not know how the words were captured. Exit codes are not enough (several agent programs exit 0 or with
//! `HTTP status & 255` after an error), and neither are words; both are read, the latest telling line first.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::artifact::{Unusable, UnusableKind};
use super::failure::{AgentError, BILLING};
use super::safe::Safe;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", content = "number", rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It is gone, and the system did not say how.
    Unknown,
}

impl Exit {
    /// Tells whether it ended by itself with code 0.
    pub fn is_zero(self) -> bool {
        self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit {code}"),
            Exit::Signal(number) => match SIGNALS.iter().find(|(known, _)| known == number) {
                Some((_, name)) => write!(f, "signal {number}, {name}"),
                None => write!(f, "signal {number}"),
            },
            Exit::Unknown => f.write_str("it went without a word"),
        }
    }
}

/// Signals by number where every Linux architecture and macOS agree.
const SIGNALS: [(i32, &str); 8] =
    [(1, "HUP"), (2, "INT"), (3, "QUIT"), (6, "ABRT"), (9, "KILL"), (11, "SEGV"), (13, "PIPE"), (15, "TERM")];

/// How many of the last lines are read: an error stands near the end, and older lines tell of retries that went well.
const LINES: usize = 20;

/// Longest quotation of a program's words, in characters.
const QUOTE: usize = 200;

/// Finds the typed error in the last words of a program that ended without an answer: its stderr, then the last line
/// of its stdout (what stands above it is an answer, and may speak of anything). Falls back to
/// [`AgentError::Crashed`].
pub fn classify(exit: Exit, stderr: &str, stdout: &str) -> AgentError {
    named(stderr).or_else(|| named(last_line(stdout)?)).unwrap_or_else(|| {
        let how = match last_line(stderr).or_else(|| last_line(stdout)) {
            Some(line) => format!("{exit}: {}", quote(line)),
            None => exit.to_string(),
        };
        AgentError::Crashed { how }
    })
}

/// Finds the typed error in what a program says went wrong: the prompt that does not fit, then the HTTP status, then
/// its words, then those of its stderr.
pub fn told(why: &str, status: Option<u16>, retry_after_ms: Option<u64>, stderr: &str) -> AgentError {
    let by_words = named(why);
    if by_words == Some(AgentError::ContextOverflow) || status == Some(413) {
        return AgentError::ContextOverflow;
    }
    match by_words {
        // No status tells it from a limit that passes.
        Some(refused @ AgentError::Refused { .. }) => return refused,
        Some(_) | None if status == Some(402) => return unpaid(why),
        Some(_) | None => {}
    }
    let by_status = match status {
        Some(429) => Some(AgentError::RateLimit { retry_after_ms: None }),
        Some(401 | 403) => Some(AgentError::Auth { why: quote(why) }),
        Some(500..=599) => Some(AgentError::Overloaded),
        Some(_) | None => None,
    };
    let error = by_status.or(by_words).or_else(|| named(stderr));
    match error {
        Some(AgentError::RateLimit { retry_after_ms: said }) => {
            let lines = || why.lines().chain(stderr.lines());
            AgentError::RateLimit {
                retry_after_ms: said.or(retry_after_ms).or_else(|| lines().find_map(self::retry_after_ms)),
            }
        }
        Some(error) => error,
        // It will say the same to the same words.
        None if matches!(status, Some(400 | 404 | 422)) => AgentError::Refused { why: quote(why) },
        None => AgentError::Crashed { how: format!("its own words: {}", quote(last_line(why).unwrap_or("none"))) },
    }
}

/// Finds an error that has a name in the last lines of a text.
pub fn named(text: &str) -> Option<AgentError> {
    let lines: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    lines.iter().find_map(|line| {
        let lower = line.to_lowercase();
        if is_unpaid(&lower) {
            return Some(unpaid(line));
        }
        let (class, _) = MARKS.iter().find(|(_, marks)| marks.iter().any(|mark| mark.is_in(&lower)))?;
        Some(match class {
            Class::ContextOverflow => AgentError::ContextOverflow,
            Class::RateLimit => AgentError::RateLimit { retry_after_ms: lines.iter().find_map(|l| retry_after_ms(l)) },
            Class::Overloaded => AgentError::Overloaded,
            Class::Auth => AgentError::Auth { why: quote(line) },
            Class::Network => AgentError::Network { why: quote(line) },
            Class::Permission => AgentError::Permission { why: quote(line) },
        })
    })
}

/// Tells whether a lower-case line says that an account cannot pay. OpenAI and Google say "exceeded your current quota …
/// billing details" of different things: Google's comes with where its limits are told, or with a wait, and passes.
fn is_unpaid(lower: &str) -> bool {
    const SURE: [&str; 4] =
        ["insufficient_quota", "credit balance is too low", "billing_not_active", "billing hard limit"];
    let passes = ["google", "rate-limit", "resource_exhausted"].iter().any(|sign| lower.contains(sign))
        || retry_after_ms(lower).is_some();
    SURE.iter().any(|sign| lower.contains(sign))
        || (lower.contains("exceeded your current quota") && lower.contains("billing") && !passes)
}

/// What an account that cannot pay is called.
fn unpaid(words: &str) -> AgentError {
    let words = quote(last_line(words).unwrap_or_default());
    AgentError::Refused { why: if words.is_empty() { BILLING.into() } else { format!("{BILLING} ({words})") } }
}

/// Writes what to tell an agent whose answer was not usable.
pub fn repair_text(unusable: &Unusable) -> String {
    let fault = match unusable.kind {
        UnusableKind::Empty => "Your answer was empty.".to_owned(),
        UnusableKind::Syntax => format!("Your answer holds no readable JSON object: {}.", unusable.why),
        UnusableKind::Schema => format!("Your answer does not fit the schema: {}.", unusable.why),
        UnusableKind::Echo => "Your answer repeats the schema or the example instead of filling it in.".to_owned(),
    };
    format!("{fault} Answer again with one complete JSON object that fits the schema, and nothing after it.")
}

/// Kinds of errors that words can name.
#[derive(Debug, Clone, Copy)]
enum Class {
    ContextOverflow,
    RateLimit,
    Overloaded,
    Auth,
    Network,
    Permission,
}

/// A sign of an error in a lower-case line.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// These words.
    Words(&'static str),
    /// These words on a line that speaks of trouble: alone they may be the subject of the work (a spec of a rate
    /// limiter).
    Topic(&'static str),
    /// This HTTP status as a number of its own, on a line that speaks of trouble.
    Status(&'static str),
}

use Mark::{Status, Topic, Words};

/// Parts of words that make a line one of trouble.
const TROUBLE: [&str; 11] =
    ["http", "status", "error", "api", "code", "fail", "exceed", "reached", "denied", "retry", "try again"];

/// Signs by class; the first class with a sign on the line wins. Words are those that claude, codex, gemini, opencode
/// and qwen print, and those of the HTTP APIs behind them.
const MARKS: [(Class, &[Mark]); 6] = [
    (
        Class::ContextOverflow,
        &[
            Words("context_length_exceeded"),
            Topic("context length"),
            Topic("context window"),
            Topic("maximum context"),
            Words("maximum context length is"),
            Words("context is too large"),
            Words("prompt is too long"),
            Words("input is too long"),
            Words("input exceeds the maximum"),
        ],
    ),
    (
        Class::RateLimit,
        &[
            Status("429"),
            Words("too many requests"),
            Topic("rate limit"),
            Topic("rate-limit"),
            Topic("rate_limit"),
            Topic("ratelimit"),
            Topic("usage limit"),
            Topic("quota exceeded"),
            Words("exceeded your current quota"),
            Words("resource_exhausted"),
        ],
    ),
    (
        Class::Overloaded,
        &[
            Status("529"),
            Status("503"),
            Status("502"),
            Status("500"),
            Topic("overloaded"),
            Words("service unavailable"),
            Words("bad gateway"),
            Words("internal server error"),
            Words("experiencing high demand"),
        ],
    ),
    (
        Class::Auth,
        &[
            Status("401"),
            Status("403"),
            Topic("unauthorized"),
            Words("unauthenticated"),
            Topic("authentication"),
            Words("invalid api key"),
            Words("invalid x-api-key"),
            Words("api key not valid"),
            Words("no api key"),
            Words("not logged in"),
            Words("please log in"),
            Words("please run /login"),
            Words("invalid auth method"),
            Words("set an auth method"),
        ],
    ),
    (
        Class::Network,
        &[
            Words("econnrefused"),
            Words("connection refused"),
            Words("econnreset"),
            Topic("connection reset"),
            Words("enotfound"),
            Words("etimedout"),
            Words("getaddrinfo"),
            Words("could not resolve host"),
            Topic("name resolution"),
            Words("network is unreachable"),
            Words("stream disconnected"),
            Words("error sending request"),
            Words("fetch failed"),
            Topic("unable to connect"),
            Topic("connection error"),
            Words("model stream ended without"),
        ],
    ),
    (
        Class::Permission,
        &[Words("permission denied"), Words("operation not permitted"), Words("read-only file system")],
    ),
];

impl Mark {
    fn is_in(self, lower: &str) -> bool {
        match self {
            Words(words) => lower.contains(words),
            Topic(words) => lower.contains(words) && tells_of_trouble(lower),
            Status(number) => {
                lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|token| token == number)
                    && tells_of_trouble(lower)
            }
        }
    }
}

fn tells_of_trouble(lower: &str) -> bool {
    TROUBLE.iter().any(|word| lower.contains(word))
}

/// Reads how long a line asks to wait: `retry-after: 7`, `try again in 1m30s`, `retry_after_ms=1500`.
fn retry_after_ms(line: &str) -> Option<u64> {
    // Word and the unit of a bare number after it. The longer word first: one contains the other.
    const ASKS: [(&str, u64); 6] = [
        ("retry_after_ms", 1),
        ("retry-after", 1_000),
        ("retry_after", 1_000),
        ("retry after", 1_000),
        ("try again in", 1_000),
        ("retry in", 1_000),
    ];
    let lower = line.to_lowercase();
    ASKS.iter().find_map(|(ask, unit)| {
        let rest = &lower[lower.find(ask)? + ask.len()..];
        duration_ms(rest.trim_start_matches([' ', ':', '=', '"', '\'']), *unit)
    })
}

/// Reads `90`, `1.5s`, `250ms` or `1m30s` from the start of a text; a bare number counts in `unit` milliseconds.
fn duration_ms(text: &str, unit: u64) -> Option<u64> {
    let mut rest = text;
    let mut total = None;
    while rest.starts_with(|c: char| c.is_ascii_digit()) {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (whole, part) = rest[..end].split_once('.').unwrap_or((&rest[..end], ""));
        let after = rest[end..].trim_start();
        let word: String = after.chars().take_while(char::is_ascii_alphabetic).collect();
        let known = match word.as_str() {
            "ms" | "milliseconds" => Some(1),
            "s" | "sec" | "secs" | "second" | "seconds" => Some(1_000),
            "m" | "min" | "mins" | "minute" | "minutes" => Some(60_000),
            "h" | "hour" | "hours" => Some(3_600_000),
            _ => None,
        };
        let scale = known.unwrap_or(unit);
        // Three decimals are a millisecond: more cannot matter.
        let thousandths: u64 = format!("{:0<3.3}", part).parse().ok()?;
        let ms = whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(thousandths * scale / 1_000)?;
        total = Some(total.unwrap_or(0u64).checked_add(ms)?);
        if known.is_none() {
            break;
        }
        rest = &after[word.len()..];
    }
    total
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty())
}

fn quote(line: &str) -> String {
    Safe::line(line.trim()).as_str().chars().take(QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_name_the_error() {
        let limit = |ms| AgentError::RateLimit { retry_after_ms: ms };
        let cases: [(&str, AgentError); 14] = [
            ("This model's maximum context length is 8192 tokens.", AgentError::ContextOverflow),
            (
                "[API Error: Context is too large to send safely after automatic compression.]",
                AgentError::ContextOverflow,
            ),
            ("API Error: 429 {\"type\":\"rate_limit_error\"}\nretry-after: 7", limit(Some(7_000))),
            ("Rate limit reached. Please try again in 1m30s.", limit(Some(90_000))),
            ("too many requests, retry_after_ms=1500", limit(Some(1_500))),
            ("429 Too Many Requests; try again in 1.25 s", limit(Some(1_250))),
            ("You exceeded your current quota", limit(None)),
            ("error: status 529", AgentError::Overloaded),
            ("stream error: 503 Service Unavailable", AgentError::Overloaded),
            ("prompt is too long: 210000 tokens > 200000 maximum", AgentError::ContextOverflow),
            (
                "Invalid API key · Please run /login",
                AgentError::Auth { why: "Invalid API key · Please run /login".into() },
            ),
            (
                "connect ECONNREFUSED 127.0.0.1:80",
                AgentError::Network { why: "connect ECONNREFUSED 127.0.0.1:80".into() },
            ),
            ("sh: ./x: Permission denied", AgentError::Permission { why: "sh: ./x: Permission denied".into() }),
            (
                "thread main panicked at line 429",
                AgentError::Crashed { how: "exit 3: thread main panicked at line 429".into() },
            ),
        ];
        for (words, error) in cases {
            assert_eq!(classify(Exit::Code(3), words, ""), error, "{words}");
        }
    }

    #[test]
    fn the_latest_telling_line_wins_and_stderr_comes_before_stdout() {
        let words = "HTTP error 429, retrying\nHTTP error 401\n\n";
        assert!(matches!(classify(Exit::Code(1), words, "error: overloaded"), AgentError::Auth { .. }));
        assert_eq!(classify(Exit::Code(1), "bye", "hi\nAPI error: overloaded\n"), AgentError::Overloaded);
    }

    #[test]
    fn what_a_program_says_of_itself_is_read_before_its_status_and_its_stderr() {
        let limit = |ms| AgentError::RateLimit { retry_after_ms: ms };
        assert_eq!(told("Prompt is too long", Some(400), None, ""), AgentError::ContextOverflow);
        assert_eq!(told("Request rejected", Some(429), Some(7_739), ""), limit(Some(7_739)));
        assert_eq!(told("429 Too Many Requests", None, None, "retry-after: 2"), limit(Some(2_000)));
        assert_eq!(told("[API Error: no]", None, None, "  status: 429\n}"), limit(None));
        assert_eq!(told("no", Some(401), None, ""), AgentError::Auth { why: "no".into() });
        assert_eq!(told("no", Some(529), None, ""), AgentError::Overloaded);
        for status in [400, 404, 422] {
            let why = "There's an issue with the selected model (x).".to_owned();
            assert_eq!(told(&why, Some(status), None, ""), AgentError::Refused { why: why.clone() }, "{status}");
        }
        let auth = AgentError::Auth { why: "API key not valid".into() };
        assert_eq!(told("API key not valid", Some(400), None, ""), auth, "words are surer than a 400");
        assert_eq!(told("odd\n", None, None, ""), AgentError::Crashed { how: "its own words: odd".into() });
    }

    #[test]
    fn an_account_that_cannot_pay_is_no_limit_that_passes() {
        let openai = "You exceeded your current quota, please check your plan and billing details.";
        let codes = "429 {\"error\":{\"code\":\"insufficient_quota\"}}";
        for words in [openai, codes, "Credit balance is too low", "Billing hard limit has been reached"] {
            for error in
                [told(words, Some(429), Some(7), ""), classify(Exit::Code(1), words, ""), told(words, None, None, "")]
            {
                assert!(matches!(&error, AgentError::Refused { why } if why.contains(words)), "{words}: {error:?}");
                assert!(error.hint("claude").contains("billing of claude's account"), "{}", error.hint("claude"));
            }
        }
        assert_eq!(told("", Some(402), None, ""), AgentError::Refused { why: BILLING.into() });
        let google =
            format!("{openai} For more information, head to: https://ai.google.dev/gemini-api/docs/rate-limits.");
        let waits = format!("{openai} Please retry in 12s.");
        assert_eq!(told(&google, Some(429), None, ""), AgentError::RateLimit { retry_after_ms: None });
        assert_eq!(told(&waits, Some(429), None, ""), AgentError::RateLimit { retry_after_ms: Some(12_000) });
    }

    #[test]
    fn a_death_without_telling_words_says_how() {
        let how = |exit| AgentError::Crashed { how: exit };
        assert_eq!(classify(Exit::Signal(9), "", ""), how("signal 9, KILL".into()));
        assert_eq!(classify(Exit::Code(2), "", "a\u{1b}[2J\n"), how("exit 2: a␛[2J".into()));
        let long = classify(Exit::Code(2), &"x".repeat(5_000), "");
        assert_eq!(long, how(format!("exit 2: {}", "x".repeat(QUOTE))));
    }

    #[test]
    fn speaking_of_rate_limits_is_not_being_limited() {
        let words = "thinking about the rate limit of FR-001\nauthentication stays as it is\nSegmentation fault";
        let crashed = AgentError::Crashed { how: "signal 11, SEGV: Segmentation fault".into() };
        assert_eq!(classify(Exit::Signal(11), words, "API error 429 is what FR-001 asks for\n```"), crashed);
    }

    #[test]
    fn odd_durations_neither_panic_nor_lie() {
        for (text, ms) in [
            ("retry after", None),
            ("retry after soon", None),
            ("retry after 99999999999999999999s", None),
            ("retry after 2 hours", Some(7_200_000)),
            ("retry after 5 tries", Some(5_000)),
            ("retry after 0.0004s", Some(0)),
        ] {
            assert_eq!(retry_after_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn a_repair_names_the_fault() {
        let text = repair_text(&Unusable { kind: UnusableKind::Schema, why: "`summary` is missing".into() });
        assert!(text.contains("`summary` is missing"));
    }
}
