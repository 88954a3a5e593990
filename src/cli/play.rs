//! The scripted player: an agent that says what a script tells it to, at a human pace, as a real child process.
//!
//! It must not know who started it: it reads a prompt on stdin and writes to stdout and stderr like any agent over
//! transport text. The format of scripts is in `docs/scripted-agents.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::round::{ROUND_SCHEMA, Word};
use crate::domain::stage::Stage;

/// How a performance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the process ends as the script says only if somebody ends it"]
pub enum Ending {
    /// With this exit code.
    Exit(u8),
    /// Struck down in the middle.
    Crash,
}

impl Ending {
    /// Ends as the script says: a crash kills this process, so it does not return.
    pub fn leave(self) -> ExitCode {
        match self {
            Ending::Exit(code) => ExitCode::from(code),
            Ending::Crash => {
                // KILL and not abort(): no core file is left in the user's folder.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                ExitCode::from(CRASHED)
            }
        }
    }
}

/// Exit code of a script that cannot be played: the same as for bad usage.
const UNPLAYABLE: u8 = 64;

/// Exit code of a crash where a process cannot kill itself: 128 + KILL, as shells write it.
const CRASHED: u8 = 137;

/// Most bytes of a prompt that are read: beyond any that we write.
const PROMPT_MAX: u64 = 64 << 20;

/// Plays a script: reads the prompt from `stdin` to its end, finds the stage, the attempt and the agenda in its last
/// `dicast.ask/1` block, and performs that agent's scene. `agent` overrides the name in the block; pauses are divided by
/// `speed`, and 0 means none.
pub fn play(
    script: &str,
    agent: Option<&str>,
    speed: u32,
    stdin: impl Read,
    stdout: impl Write,
    stderr: impl Write,
) -> Ending {
    #[expect(clippy::disallowed_methods, reason = "the player is a process of its own: it has nothing to do but wait")]
    let pause = |ms: u64| {
        if let Some(ms) = ms.checked_div(u64::from(speed)) {
            std::thread::sleep(Duration::from_millis(ms));
        }
    };
    perform(script, agent, stdin, stdout, stderr, pause)
}

/// A script: what each agent does at each stage.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    schema: SchemaName,
    agents: BTreeMap<String, BTreeMap<Stage, Scene>>,
}

#[derive(Debug, Deserialize)]
enum SchemaName {
    #[serde(rename = "dicast.script/1")]
    Script1,
}

/// What one agent does at one stage.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scene {
    #[serde(default)]
    steps: Vec<Step>,
    fail: Option<Fail>,
    answer: Option<serde_json::Map<String, Value>>,
    /// What it does when it is asked in the round; votes nothing if not given.
    #[serde(default)]
    round: RoundScene,
}

/// What one agent does in the round.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoundScene {
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    votes: Vec<ScriptedVote>,
}

/// A vote. Numbers on a ballot change from run to run, so items and sides are meant by their words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptedVote {
    /// Words of the item's claim.
    item: String,
    vote: Word,
    /// What the side that is held to be right says.
    side: Option<String>,
    /// Words of the other item's claim.
    same_as: Option<String>,
    because: Option<String>,
    #[serde(default)]
    evidence: Vec<Value>,
}

/// One line, after a pause.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    after_ms: u64,
    say: Option<String>,
    stderr: Option<String>,
}

/// An end without an answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fail {
    /// Exit code; 1 if not given.
    exit: Option<u8>,
    /// Ends by a signal instead.
    #[serde(default)]
    crash: bool,
    /// Last words.
    stderr: Option<String>,
    /// The last attempt that fails; every one if not given.
    until_attempt: Option<u32>,
    /// Steps played before; all if not given.
    after_steps: Option<usize>,
}

/// What is read of the `dicast.ask/1` or `dicast.round/1` block.
#[derive(Debug, Deserialize)]
struct Ask {
    schema: String,
    stage: Stage,
    agent: String,
    attempt: u32,
    #[serde(default)]
    agenda: Vec<Topic>,
    /// Of a round.
    #[serde(default)]
    items: Vec<Item>,
}

/// One item of a ballot.
#[derive(Debug, Deserialize)]
struct Item {
    n: u32,
    claim: String,
    sides: Vec<Side>,
}

/// One side of an item.
#[derive(Debug, Deserialize)]
struct Side {
    n: u32,
    value: String,
}

#[derive(Debug, Deserialize)]
struct Topic {
    id: String,
    requirement: Option<String>,
    ask: String,
}

fn perform(
    script: &str,
    agent: Option<&str>,
    stdin: impl Read,
    mut stdout: impl Write,
    mut stderr: impl Write,
    pause: impl FnMut(u64),
) -> Ending {
    let played = prepare(script, agent, stdin).and_then(|(scene, ask)| {
        // A closed pipe is how a stopped player notices.
        enact(&scene, &ask, &mut stdout, &mut stderr, pause).map_err(|error| format!("could not write: {error}"))
    });
    played.unwrap_or_else(|why| {
        // Nobody may be left to read it.
        let _ = writeln!(stderr, "could not play the script: {why}");
        Ending::Exit(UNPLAYABLE)
    })
}

fn prepare(script: &str, agent: Option<&str>, stdin: impl Read) -> Result<(Scene, Ask), String> {
    let Script { schema: SchemaName::Script1, mut agents } = if script.trim_start().starts_with('{') {
        serde_json::from_str(script).map_err(|error| error.to_string())?
    } else {
        toml::from_str(script).map_err(|error| error.to_string())?
    };
    let mut prompt = Vec::new();
    stdin.take(PROMPT_MAX).read_to_end(&mut prompt).map_err(|error| format!("the prompt: {error}"))?;
    let ask =
        ask_of(&String::from_utf8_lossy(&prompt)).ok_or("the prompt has no dicast.ask/1 or dicast.round/1 block")?;
    let name = agent.unwrap_or(&ask.agent);
    let mut scenes = agents.remove(name).ok_or(format!("it has no agent {name:?}"))?;
    let scene = scenes.remove(&ask.stage).ok_or(format!("agent {name:?} has no scene for {}", ask.stage))?;
    Ok((scene, ask))
}

/// The formats in which something is asked: the stage's question, and the round.
const ASKS: [&str; 2] = ["dicast.ask/1", ROUND_SCHEMA];

/// Finds the last fenced block that is one. The prompt above it may hold fences of its own.
fn ask_of(prompt: &str) -> Option<Ask> {
    let lines: Vec<&str> = prompt.lines().collect();
    let is_fence = |line: &&str| line.trim_start().starts_with("```");
    (0..lines.len()).rev().filter(|at| is_fence(&lines[*at])).find_map(|open| {
        let inside: Vec<&str> = lines[open + 1..].iter().copied().take_while(|line| !is_fence(line)).collect();
        serde_json::from_str(&inside.join("\n")).ok().filter(|ask: &Ask| ASKS.contains(&ask.schema.as_str()))
    })
}

fn enact(
    scene: &Scene,
    ask: &Ask,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
    mut pause: impl FnMut(u64),
) -> io::Result<Ending> {
    if ask.schema == ROUND_SCHEMA {
        return vote(&scene.round, ask, stdout, stderr, pause);
    }
    let fail = scene.fail.as_ref().filter(|fail| fail.until_attempt.is_none_or(|last| ask.attempt <= last));
    let steps = fail.and_then(|fail| fail.after_steps).unwrap_or(scene.steps.len());
    say(&scene.steps[..steps.min(scene.steps.len())], stdout, stderr, &mut pause)?;
    if let Some(fail) = fail {
        if let Some(words) = &fail.stderr {
            writeln!(stderr, "{words}")?;
        }
        return Ok(if fail.crash { Ending::Crash } else { Ending::Exit(fail.exit.unwrap_or(1)) });
    }
    if let Some(answer) = &scene.answer {
        let (artifact, lost) = artifact(answer, ask);
        for reference in lost {
            writeln!(stderr, "the agenda has no topic for {reference:?}")?;
        }
        writeln!(stdout, "\n```json\n{artifact:#}\n```")?;
        stdout.flush()?;
    }
    Ok(Ending::Exit(0))
}

fn say(
    steps: &[Step],
    stdout: &mut impl Write,
    stderr: &mut impl Write,
    pause: &mut impl FnMut(u64),
) -> io::Result<()> {
    for step in steps {
        pause(step.after_ms);
        if let Some(line) = &step.say {
            writeln!(stdout, "{line}")?;
            stdout.flush()?;
        }
        if let Some(line) = &step.stderr {
            writeln!(stderr, "{line}")?;
        }
    }
    Ok(())
}

/// Plays an agent's part of the round.
fn vote(
    scene: &RoundScene,
    ask: &Ask,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
    mut pause: impl FnMut(u64),
) -> io::Result<Ending> {
    say(&scene.steps, stdout, stderr, &mut pause)?;
    let mut votes: Vec<Value> = Vec::new();
    for scripted in &scene.votes {
        match on_ballot(scripted, &ask.items) {
            Some(vote) if votes.iter().all(|known| known["n"] != vote["n"]) => votes.push(vote),
            Some(_) | None => writeln!(stderr, "the ballot has no item and side for {:?}", scripted.item)?,
        }
    }
    writeln!(stdout, "\n```json\n{:#}\n```", json!({"schema": ROUND_SCHEMA, "votes": votes}))?;
    stdout.flush()?;
    Ok(Ending::Exit(0))
}

/// Fills in the numbers that a scripted vote has on this ballot.
fn on_ballot(scripted: &ScriptedVote, items: &[Item]) -> Option<Value> {
    let find = |words: &str| {
        let words = words.to_lowercase();
        items.iter().find(|item| !words.is_empty() && item.claim.to_lowercase().contains(&words))
    };
    let item = find(&scripted.item)?;
    let mut vote = json!({"n": item.n, "vote": scripted.vote, "evidence": scripted.evidence});
    if let Some(because) = &scripted.because {
        vote["because"] = json!(because);
    }
    if let Some(side) = &scripted.side {
        vote["as"] = json!(item.sides.iter().find(|known| known.value.eq_ignore_ascii_case(side))?.n);
    }
    if let Some(words) = &scripted.same_as {
        vote["as"] = json!(find(words)?.n);
    }
    Some(vote)
}

/// Fills the script's answer in for this agenda: names become topic ids, and topics that the script does not speak of
/// are abstained from. Returns the names that fit no topic as well.
fn artifact(answer: &serde_json::Map<String, Value>, ask: &Ask) -> (Value, Vec<String>) {
    let mut artifact = answer.clone();
    let mut answered = BTreeSet::new();
    let mut answers = Vec::new();
    let mut lost = Vec::new();
    let given = artifact.remove("answers");
    for mut entry in given.as_ref().and_then(Value::as_array).cloned().unwrap_or_default() {
        let reference = entry.get("topic").and_then(Value::as_str).unwrap_or_default().to_owned();
        match topic_of(&ask.agenda, &reference) {
            Some(topic) if answered.insert(topic.id.as_str()) => {
                if let Some(entry) = entry.as_object_mut() {
                    entry.insert("topic".into(), json!(topic.id));
                }
                answers.push(entry);
            }
            Some(_) | None => lost.push(reference),
        }
    }
    let open = ask.agenda.iter().filter(|topic| !answered.contains(topic.id.as_str()));
    answers.extend(open.map(|topic| json!({"topic": topic.id, "abstain": true})));
    artifact.insert("schema".into(), json!("dicast.artifact/1"));
    artifact.insert("stage".into(), json!(ask.stage));
    artifact.insert("answers".into(), Value::Array(answers));
    (Value::Object(artifact), lost)
}

/// Finds the topic that a script means: by its id, by its requirement, or by words of its question. A question that
/// quotes a requirement only to ask whether it is covered is the last to be meant by words.
fn topic_of<'a>(agenda: &'a [Topic], reference: &str) -> Option<&'a Topic> {
    let words = reference.to_lowercase();
    let has_words = |topic: &&Topic| !words.is_empty() && topic.ask.to_lowercase().contains(&words);
    agenda
        .iter()
        .find(|topic| topic.id == reference)
        .or_else(|| agenda.iter().find(|topic| topic.requirement.as_deref() == Some(reference)))
        .or_else(|| agenda.iter().filter(|topic| topic.requirement.is_none()).find(has_words))
        .or_else(|| agenda.iter().find(has_words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::artifact::{Expect, extract};

    const SCRIPT: &str = r#"
        schema = "dicast.script/1"
        [agents.ada.plan]
        steps = [{ say = "Reading the spec", after_ms = 900 }, { stderr = "cache miss", after_ms = 100 }]
        fail = { stderr = "error 429: rate limited, retry after 2s", until_attempt = 1, after_steps = 1 }
        [agents.ada.plan.answer]
        summary = "A bucket per client."
        answers = [
            { topic = "FR-001", value = "yes", because = "a step covers it" },
            { topic = "requests PER second", value = 10, unit = "1/s" },
            { topic = "the moon", value = "no" },
        ]
        [agents.bob.plan]
        steps = [{ say = "one" }, { say = "two" }]
        fail = { crash = true, after_steps = 1 }
        [agents.bob.tasks]
    "#;

    struct Played {
        ending: Ending,
        out: String,
        err: String,
        paused_ms: u64,
    }

    fn played(script: &str, agent: Option<&str>, stage: &str, attempt: u32) -> Played {
        let ask = json!({"schema": "dicast.ask/1", "spec_id": "001-x", "stage": stage, "agent": "ada", "attempt": attempt,
            "agenda": [{"id": "D-001", "requirement": "FR-001", "ask": "Is FR-001 covered? \"… requests per second\"", "unit": null},
                       {"id": "D-002", "requirement": null, "ask": "How many requests per second?", "unit": "1/s"},
                       {"id": "D-003", "requirement": null, "ask": "Which store?", "unit": null}]});
        let prompt = format!("Spec:\n```json\n{{\"schema\": \"dicast.ask/1\"}}\n```\n\n```json\n{ask:#}\n```\n");
        let (mut out, mut err, mut paused_ms) = (Vec::new(), Vec::new(), 0);
        let ending = perform(script, agent, prompt.as_bytes(), &mut out, &mut err, |ms| paused_ms += ms);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Played { ending, out: text(out), err: text(err), paused_ms }
    }

    #[test]
    fn a_scene_ends_in_an_artifact_for_this_agenda() {
        let played = played(SCRIPT, None, "plan", 2);
        assert_eq!((played.ending, played.paused_ms), (Ending::Exit(0), 1_000));
        assert!(played.out.starts_with("Reading the spec\n\n```json\n"));
        assert_eq!(played.err, "cache miss\nthe agenda has no topic for \"the moon\"\n");
        let topics = ["D-001", "D-002", "D-003"].map(String::from).to_vec();
        let artifact = extract(&Expect { stage: Stage::Plan, topics, sent: vec![] }, &played.out).unwrap();
        let artifact: Value = serde_json::from_str(&artifact).unwrap();
        assert_eq!(artifact["answers"][1], json!({"topic": "D-002", "value": 10, "unit": "1/s"}));
        assert_eq!(artifact["answers"][2], json!({"topic": "D-003", "abstain": true}));
    }

    #[test]
    fn a_failure_lasts_as_many_attempts_as_the_script_says() {
        let first = played(SCRIPT, None, "plan", 1);
        assert_eq!((first.ending, first.paused_ms), (Ending::Exit(1), 900));
        assert_eq!(
            (first.out.as_str(), first.err.as_str()),
            ("Reading the spec\n", "error 429: rate limited, retry after 2s\n")
        );
        let crash = played(SCRIPT, Some("bob"), "plan", 7);
        assert_eq!((crash.ending, crash.out.as_str()), (Ending::Crash, "one\n"));
    }

    #[test]
    fn the_same_script_plays_from_json() {
        let value: Value = toml::from_str(SCRIPT).unwrap();
        let (a, b) = (played(SCRIPT, None, "plan", 2), played(&value.to_string(), None, "plan", 2));
        assert_eq!((a.out, a.err), (b.out, b.err));
    }

    #[test]
    fn in_the_round_votes_find_their_items_and_sides_by_words() {
        let script = r#"
            schema = "dicast.script/1"
            [agents.ada.plan]
            fail = { crash = true }
            [agents.ada.plan.round]
            steps = [{ say = "Reading the others", after_ms = 700 }]
            votes = [
                { item = "BURST size", vote = "agree", side = "20", because = "the test says so" },
                { item = "clock", vote = "same_as", same_as = "time goes" },
                { item = "the moon", vote = "abstain" },
                { item = "burst", vote = "keep" },
            ]
        "#;
        let side = |n: u32, value: &str| json!({"n": n, "value": value, "because": "", "evidence": [], "host": "said"});
        let items = json!([
            {"n": 1, "claim": "risk: time goes back", "sides": [side(1, "yes")]},
            {"n": 2, "claim": "What burst size?", "sides": [side(1, "10"), side(2, "20")]},
            {"n": 3, "claim": "risk: the clock is turned back", "sides": [side(1, "yes")]},
        ]);
        let ask = json!({"schema": "dicast.round/1", "spec_id": "001-x", "stage": "plan", "agent": "ada", "attempt": 1,
            "items": items, "yours": [], "answer_schema": {}});
        let prompt = format!("```json\n{ask}\n```\n");
        let (mut out, mut err, mut paused) = (Vec::new(), Vec::new(), 0);
        let ending = perform(script, None, prompt.as_bytes(), &mut out, &mut err, |ms| paused += ms);
        assert_eq!((ending, paused), (Ending::Exit(0), 700), "a draft's failure is not played again");
        let text = String::from_utf8(out).unwrap();
        let votes = crate::domain::round::extract(&Default::default(), &text).unwrap();
        let votes: Value = serde_json::from_str(&votes).unwrap();
        assert_eq!(
            votes["votes"][0],
            json!({"n": 2, "vote": "agree", "as": 2, "because": "the test says so", "evidence": []})
        );
        assert_eq!(votes["votes"][1], json!({"n": 3, "vote": "same_as", "as": 1, "evidence": []}));
        assert_eq!(votes["votes"].as_array().unwrap().len(), 2);
        let lost = String::from_utf8(err).unwrap();
        assert!(lost.contains("\"the moon\"") && lost.contains("\"burst\""), "{lost}");
        let silent = r#"{"schema":"dicast.script/1","agents":{"ada":{"plan":{}}}}"#;
        let mut out = Vec::new();
        let ending = perform(silent, None, prompt.as_bytes(), &mut out, io::sink(), |_| ());
        assert_eq!(ending, Ending::Exit(0));
        assert!(String::from_utf8(out).unwrap().contains("\"votes\": []"));
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        for (script, agent, stage, word) in [
            (SCRIPT, Some("eve"), "plan", "no agent \"eve\""),
            (SCRIPT, None, "tasks", "no scene for tasks"),
            ("schema = \"dicast.script/2\"\nagents = {}", None, "plan", "dicast.script/1"),
            (&SCRIPT.replace("after_ms", "after"), None, "plan", "unknown field `after`"),
            ("{", None, "plan", "EOF"),
        ] {
            let played = played(script, agent, stage, 1);
            assert_eq!((played.ending, played.out.as_str()), (Ending::Exit(UNPLAYABLE), ""), "{word}");
            assert!(played.err.contains(word), "{}", played.err);
        }
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ending = perform(SCRIPT, None, &b"no block"[..], &mut out, &mut err, |_| ());
        assert_eq!(ending, Ending::Exit(UNPLAYABLE));
    }

    #[test]
    fn speed_zero_does_not_wait() {
        let slow =
            r#"{"schema":"dicast.script/1","agents":{"ada":{"plan":{"steps":[{"say":"x","after_ms":86400000}]}}}}"#;
        let ask = "```json\n{\"schema\":\"dicast.ask/1\",\"stage\":\"plan\",\"agent\":\"ada\",\"attempt\":1}\n```";
        assert_eq!(play(slow, None, 0, ask.as_bytes(), io::sink(), io::sink()), Ending::Exit(0));
    }
}
