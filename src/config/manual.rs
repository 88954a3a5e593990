//! The manual's chapter on config, printed from the table of keys.

use std::fmt::Write as _;

use super::keys::{KEYS, Key, Otherwise, State};
use super::shape::Shape;

const START: &str = "\
# Configuration

This file is printed from the table of keys in `src/config/keys.rs`; a test compares the two.

## Where values come from

A later place wins over an earlier one:

1. the defaults below,
2. `~/.config/dicast/config.toml` (or `$XDG_CONFIG_HOME/dicast/config.toml`): yours, trusted,
3. `.dicast/config.toml` in the repository: runs nothing until you approve it; `--config FILE` is used instead of it
   and is trusted, because you gave it by hand,
4. environment variables: `DICAST_EVIDENCE__ROOT=/var/evidence` sets `evidence.root` (two underscores stand for the
   dot). A text is taken as it is, everything else is TOML (`DICAST_CONTEXT__FILES='[\"AGENTS.md\"]'`). Agents, servers
   and checks cannot be set there. Variables without two underscores are not config,
5. flags.

Keys of a section are laid over one by one. An agent, an MCP server or a check is replaced whole by a later one of the
same name. `dicast doctor` shows every value in effect and where it came from.

An unknown key, a value that does not fit, a name that is taken: each is an error (exit 64) that names the place and
the next step. A key that this version understands but cannot obey is refused too: nothing is silently ignored.

## Trust

What the repository's own file would run (agents, MCP servers, checks, guardrails), evidence outside the repository,
and what it says of money (`[budget]`, `[prices]`), is inert until you approve it: `dicast trust list` shows every
command line, `dicast trust approve` approves exactly that. The approval holds for this repository and these bytes;
after a change it is asked again with the lines that differ. Without approval a command that would run something exits
11; in CI, `--yes-trust HASH` approves exactly that hash for one process. Checks that dicast detects by itself are part
of what is approved; without approval they are not run and everything else works. Approvals are kept in
`~/.local/state/dicast/trust.json`, readable by you only.

`dicast init` writes a commented config and approves what it wrote.
";

/// Returns the chapter.
pub fn text() -> String {
    let mut out = START.to_owned();
    let mut section = "";
    // Writing to a String cannot fail.
    for key in KEYS.iter().filter(|key| matches!(key.state, State::Works)) {
        let (head, rest) = key.path.split_once('.').unwrap_or((key.path, ""));
        if head != section {
            section = head;
            let _ = write!(out, "\n## {}\n\n| key | takes | default | |\n|---|---|---|---|\n", heading(head, rest));
        }
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            shown(key),
            escaped(&key.shape.allowed()),
            default(key),
            key.means
        );
    }
    out.push_str("\n## Not yet available in this version\n\nThese keys are refused.\n\n");
    out.push_str("| key | what it is for | what works now |\n|---|---|---|\n");
    for key in KEYS {
        match (key.state, key.shape) {
            (State::NotYet(now), _) => {
                let _ = writeln!(out, "| `{}` | {} | {now} |", shown(key), key.means);
            }
            (State::Works, Shape::Choice { now, later }) if !later.is_empty() => {
                let words =
                    |list: &[&str]| list.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ");
                let _ = writeln!(out, "| `{}` = {} | | {} |", shown(key), words(later), words(now));
            }
            (State::Works, _) => {}
        }
    }
    out
}

fn heading(head: &str, rest: &str) -> String {
    match (head.strip_suffix("[]"), rest.split_once('.')) {
        (Some(list), _) => format!("`[[{list}]]`"),
        (None, Some((name, _))) if name.starts_with('<') => format!("`[{head}.{name}]`"),
        (None, _) => format!("`[{head}]`"),
    }
}

/// Returns a key's path as it is shown: without the mark of a list.
fn shown(key: &Key) -> String {
    key.path.replace("[]", "")
}

fn default(key: &Key) -> String {
    match key.default {
        Otherwise::Value(value) => format!("`{value}`"),
        Otherwise::Unset(then) => format!("unset: {then}"),
        Otherwise::Required => "required".into(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
