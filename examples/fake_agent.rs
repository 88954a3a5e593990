//! An agent that is no agent: reads the prompt, finds its fenced `dicast.ask/1` block, and answers it as told, or
//! misbehaves as told. For tests only; the product does not know it.
//!
//! ```text
//! fake_agent [--slow MS] [--hang] [--no-read] [--crash CODE] [--grandchild] [--setsid-grandchild] [--ignore-term]
//!            [--flood-stdout MB|forever] [--flood-stderr MB|forever] [--garbage] [--malformed] [--huge-reply]
//!            [--write PATH=TEXT]... [--mend PATH=TEXT]... [--delete PATH]... [--cite FILE[:LINE]] [--test CHECK/ID]
//!            [--decide STAGE=WORD]... [--risk STAGE=SEVERITY] [--lines N] [--echo-prompt] [--answer FILE] [--stderr TEXT] [--family-style NAME] [--quantity N] [--round HOW]
//! ```
//!
//! `--write` and `--delete` change files where it is asked to implement, in the folder that it was started in; `--mend`
//! changes them only where it is told what went wrong before. `--cite` and `--test` are what it shows for what it says,
//! `--decide` is its outcome at a stage, `--risk` a risk there that it cites its file for. In the round
//! (`dicast.round/1`) it keeps its own sides and agrees where it held none (`sensible`, the default), takes
//! its own sides back (`withdraw`), says nothing (`silent`), hangs (`hang`) or writes no JSON (`garbage`).

#![expect(clippy::disallowed_methods, reason = "a program of its own may sleep, read files and start a child")]

use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

mod sensible;

/// How long anything that never ends lives at most, should a test lose it.
const FOREVER: Duration = Duration::from_secs(120);

#[derive(Default)]
struct Orders {
    slow_ms: u64,
    /// Numbered lines written before the answer, a thousand a second.
    lines: u64,
    hang: bool,
    no_read: bool,
    crash: Option<u8>,
    grandchild: bool,
    setsid_grandchild: bool,
    ignore_term: bool,
    flood_stdout: Option<u64>,
    flood_stderr: Option<u64>,
    garbage: bool,
    malformed: bool,
    huge_reply: bool,
    echo_prompt: bool,
    /// Files that it writes or deletes where it is asked to implement, with `\\n` for line breaks.
    write: Vec<String>,
    /// Files that it writes only once it is told what went wrong before.
    mend: Vec<String>,
    /// The file, maybe with a line, that it cites for all that it says.
    cite: Option<String>,
    /// The check and the test that it names for every requirement.
    test: Option<String>,
    /// Its outcomes, by stage.
    decide: Vec<String>,
    /// A risk at a stage, by severity.
    risk: Option<String>,
    delete: Vec<String>,
    answer: Option<String>,
    stderr: Option<String>,
    family_style: Option<String>,
    quantity: Option<String>,
    round: Option<String>,
    /// Not for users: be the grandchild, in a session of its own if true.
    sleeper: Option<bool>,
}

fn orders(mut args: impl Iterator<Item = String>) -> Result<Orders, String> {
    let mut orders = Orders::default();
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} needs a value"));
        match flag.as_str() {
            "--slow" => orders.slow_ms = number(&value()?)?,
            "--lines" => orders.lines = number(&value()?)?,
            "--hang" => orders.hang = true,
            "--no-read" => orders.no_read = true,
            "--crash" => orders.crash = Some(u8::try_from(number(&value()?)?).map_err(|e| e.to_string())?),
            "--grandchild" => orders.grandchild = true,
            "--setsid-grandchild" => orders.setsid_grandchild = true,
            "--ignore-term" => orders.ignore_term = true,
            "--flood-stdout" => orders.flood_stdout = Some(megabytes(&value()?)?),
            "--flood-stderr" => orders.flood_stderr = Some(megabytes(&value()?)?),
            "--garbage" => orders.garbage = true,
            "--malformed" => orders.malformed = true,
            "--huge-reply" => orders.huge_reply = true,
            "--echo-prompt" => orders.echo_prompt = true,
            "--write" => orders.write.push(value()?),
            "--mend" => orders.mend.push(value()?),
            "--cite" => orders.cite = Some(value()?),
            "--test" => orders.test = Some(value()?),
            "--decide" => orders.decide.push(value()?),
            "--risk" => orders.risk = Some(value()?),
            "--delete" => orders.delete.push(value()?),
            "--answer" => orders.answer = Some(value()?),
            "--stderr" => orders.stderr = Some(value()?),
            "--family-style" => orders.family_style = Some(value()?),
            "--quantity" => orders.quantity = Some(value()?),
            "--round" => orders.round = Some(value()?),
            "--sleeper" => orders.sleeper = Some(false),
            "--setsid-sleeper" => orders.sleeper = Some(true),
            other => return Err(format!("unknown flag {other}")),
        }
    }
    Ok(orders)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|e| format!("{text}: {e}"))
}

fn megabytes(text: &str) -> Result<u64, String> {
    if text == "forever" { Ok(u64::MAX) } else { Ok(number(text)? << 20) }
}

fn main() -> ExitCode {
    let outcome = orders(std::env::args().skip(1)).map_err(io::Error::other).and_then(|orders| obey(&orders));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // A closed pipe is how a stopped agent notices; there is nobody left to tell.
            let _ = writeln!(io::stderr(), "fake_agent: {error}");
            ExitCode::from(70)
        }
    }
}

fn obey(orders: &Orders) -> io::Result<ExitCode> {
    if let Some(own_session) = orders.sleeper {
        if own_session {
            rustix::process::setsid()?;
        }
        thread::sleep(FOREVER);
        return Ok(ExitCode::SUCCESS);
    }
    // The runtime must live as long as TERM is to be swallowed.
    let _deaf = if orders.ignore_term { Some(deafen()?) } else { None };
    if orders.grandchild {
        grandchild("--sleeper")?;
    }
    if orders.setsid_grandchild {
        grandchild("--setsid-sleeper")?;
    }
    if orders.no_read {
        say("ready")?;
        thread::sleep(FOREVER);
    }
    let mut prompt = String::new();
    io::stdin().read_to_string(&mut prompt)?;
    if orders.hang {
        thread::sleep(FOREVER);
    }
    if orders.slow_ms > 0 {
        say("thinking")?;
        thread::sleep(Duration::from_millis(orders.slow_ms));
    }
    if orders.lines > 0 {
        count_up(orders.lines)?;
    }
    if let Some(words) = &orders.stderr {
        writeln!(io::stderr(), "{words}")?;
    }
    if let Some(bytes) = orders.flood_stderr {
        flood(io::stderr().lock(), bytes)?;
    }
    if let Some(bytes) = orders.flood_stdout {
        flood(io::stdout().lock(), bytes)?;
    }
    if let Some(code) = orders.crash {
        say("about to break")?;
        return Ok(ExitCode::from(code));
    }
    answer(orders, &prompt)?;
    Ok(ExitCode::SUCCESS)
}

fn answer(orders: &Orders, prompt: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if orders.garbage {
        let noise: Vec<u8> = (0..4_096u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        return out.write_all(&noise);
    }
    if orders.malformed {
        return writeln!(out, "Here it is:\n```json\n{{\"schema\":\"dicast.artifact/1\",\"summary\":\n```");
    }
    if orders.echo_prompt {
        return out.write_all(prompt.as_bytes());
    }
    if let Some(file) = &orders.answer {
        return out.write_all(&std::fs::read(file)?);
    }
    if let Some(ballot) = sensible::block_of(prompt, "dicast.round/1") {
        return vote(&mut out, &ballot, orders.round.as_deref().unwrap_or("sensible"));
    }
    let Some(ask) = sensible::block_of(prompt, "dicast.ask/1") else {
        return writeln!(out, "There is no dicast.ask/1 block in this prompt.");
    };
    if ask["stage"] == "implement" {
        change(orders, prompt.contains("\n## What went wrong before\n"))?;
    }
    let style = orders.family_style.as_deref().unwrap_or("plain");
    let mut artifact = sensible::artifact(&ask, style, orders.quantity.as_deref());
    show(orders, &ask, &mut artifact);
    if orders.huge_reply {
        artifact["padding"] = json!("x".repeat(2 << 20));
    }
    writeln!(out, "{style} thought about it.\n\n```json\n{artifact}\n```")
}

/// Adds what it shows for what it says, its outcome and its risk.
fn show(orders: &Orders, ask: &Value, artifact: &mut Value) {
    let mut evidence = Vec::new();
    if let Some(cited) = &orders.cite {
        evidence.push(match cited.rsplit_once(':').map(|(file, line)| (file, line.parse::<u32>())) {
            Some((file, Ok(line))) => json!({"file": file, "line": line}),
            Some((_, Err(_))) | None => json!({"file": cited}),
        });
    }
    for list in ["answers", "checks"] {
        for item in artifact
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .filter(|item| item["abstain"].is_null())
        {
            item["evidence"] = json!(evidence);
        }
    }
    if let Some((check, id)) = orders.test.as_ref().and_then(|test| test.split_once('/')) {
        for scenario in artifact.get_mut("scenarios").and_then(Value::as_array_mut).into_iter().flatten() {
            scenario["check"] = json!(check);
            scenario["test_id"] = json!(id);
        }
    }
    // A writer's tasks name what it will write: what no task names is left out of a candidate.
    let writes: Vec<&str> = orders.write.iter().filter_map(|order| Some(order.split_once('=')?.0)).collect();
    for task in artifact.get_mut("tasks").and_then(Value::as_array_mut).into_iter().flatten() {
        if !writes.is_empty() {
            task["files"] = json!(writes);
        }
    }
    let of_stage = |order: &String| {
        let (stage, word) = order.split_once('=')?;
        (ask["stage"] == stage).then(|| word.to_owned())
    };
    if let Some(word) = orders.decide.iter().find_map(of_stage) {
        artifact["decision"] = json!(word);
    }
    if let Some(severity) = orders.risk.iter().find_map(of_stage) {
        artifact["risks"] = json!([{"risk": "it is wrong", "severity": severity, "evidence": evidence}]);
    }
}

/// Changes files below the folder that it was started in.
fn change(orders: &Orders, again: bool) -> io::Result<()> {
    let mended = orders.mend.iter().filter(|_| again);
    for (path, text) in orders.write.iter().chain(mended).filter_map(|order| order.split_once('=')) {
        if let Some(folder) = std::path::Path::new(path).parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text.replace("\\n", "\n"))?;
    }
    orders.delete.iter().try_for_each(std::fs::remove_file)
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Writes numbered lines, a thousand a second, ten at a time; one that fell behind catches up.
fn count_up(lines: u64) -> io::Result<()> {
    const AT_A_TIME: u64 = 10;
    let began = Instant::now();
    let mut out = io::stdout().lock();
    let mut next = 1;
    while next <= lines {
        let end = (next + AT_A_TIME - 1).min(lines);
        for n in next..=end {
            writeln!(out, "line {n} of {lines}: looks at src/lib.rs")?;
        }
        out.flush()?;
        next = end + 1;
        thread::sleep(Duration::from_millis(end).saturating_sub(began.elapsed()));
    }
    Ok(())
}

fn flood(mut to: impl Write, bytes: u64) -> io::Result<()> {
    let line = b"all work and no play makes an agent a dull program that floods its pipe\n";
    let chunk: Vec<u8> = line.iter().copied().cycle().take(64 << 10).collect();
    let mut left = bytes;
    while left > 0 {
        to.write_all(&chunk)?;
        left = left.saturating_sub(chunk.len() as u64);
    }
    to.write_all(b"\n")
}

/// Starts a copy of this program that only sleeps and holds our outputs open.
fn grandchild(role: &str) -> io::Result<()> {
    Command::new(std::env::current_exe()?).arg(role).stdin(Stdio::null()).spawn().map(drop)?;
    // Time to take a session of its own before anybody ends us.
    thread::sleep(Duration::from_millis(50));
    Ok(())
}

/// Takes TERM and does nothing with it.
fn deafen() -> io::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let inside = runtime.enter();
    // The stream may go: once installed, the handler stays.
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?);
    drop(inside);
    Ok(runtime)
}
/// Votes on a ballot as told.
fn vote(out: &mut impl Write, ballot: &Value, how: &str) -> io::Result<()> {
    if how == "hang" {
        writeln!(out, "fake: thinking about the ballot")?;
        out.flush()?;
        thread::sleep(FOREVER);
    }
    if how == "garbage" {
        return writeln!(out, "fake: I would rather not say.");
    }
    writeln!(out, "fake: voted.\n\n```json\n{}\n```", sensible::votes(ballot, how))
}
