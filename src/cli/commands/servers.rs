//! `dicast servers`: starts the MCP servers, waits until each has answered or failed, and ends them again.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::ask::Desk;
use super::super::out::{Done, table};
use super::Context;
use crate::actors::lanes::lanes;
use crate::actors::mcp::memory::{self, Copied, Query};
use crate::domain::failure::{DiskError, Failure};
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::moment::Moment;
use crate::domain::server::{State, Status};
use crate::domain::settings::{Offer, Settings};
use crate::shell::Clock;
use crate::shell::hands::{Hands, Places};

/// How long we wait for the slowest server, beyond which it is shown as it is then.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often the servers are asked for their states.
const LOOK: Duration = Duration::from_millis(50);

/// How long one question about states may take: it is answered from memory.
const ASKING: Duration = Duration::from_secs(2);

/// How long copying what waits for memory may take.
const COPYING: Duration = Duration::from_secs(20);

/// Grace for the servers on the way out: end of input and TERM, then KILL.
const GRACE: Duration = Duration::from_millis(200);

/// Shows every server, with its tools or what is wrong. One that cannot start is no failure of the command.
///
/// # Errors
/// Those of the config; exit 11 when what the project would start is not approved.
pub(super) fn servers(context: &Context) -> Result<Done, Failure> {
    let settings = context.loaded()?.runnable()?;
    let desk = Desk::open()?;
    let (lanes, _facts) = lanes(desk.scope.waker().clone());
    let places = places(context)?;
    let clock = Clock::start();
    let begun = clock.now();
    let hands = desk.inside(|| Hands::start(desk.scope.clone(), &lanes, clock, &places, &settings));
    let mut states = Vec::new();
    desk.until(PATIENCE, LOOK, || match desk.ask(ASKING, "the servers' states", hands.mcp.statuses()) {
        Ok(now) => {
            let is_settled = now.iter().all(|status| status.state != State::Starting);
            states = now;
            is_settled
        }
        // An actor that does not answer will not answer later: what was seen is shown.
        Err(_) => true,
    });
    let named = settings.memory.name();
    let told = states.iter().any(|status| status.name == named && status.state == State::Ready);
    let told = told.then(|| copy(&desk, &hands));
    let left = desk.ask(GRACE + ASKING, "ending the servers", hands.mcp.stop(GRACE))?;
    if left > 0 {
        return Err(Failure::Server { server: "processes".into(), why: format!("{left} did not end") });
    }
    Ok(match context.global.json {
        true => {
            let rows = states.iter().map(|status| json(status, &settings, told.as_ref()));
            Done::json(rows.chain(settings.offers.iter().map(offer_json)).collect::<String>())
        }
        false => Done::lines(text(&states, &settings, begun) + &remembered(named, told.as_ref())),
    })
}

/// Holds the memory server's tools against its profile, and copies what waits for it. The answer is what waits then.
fn copy(desk: &Desk, hands: &Hands) -> Result<Copied, Failure> {
    let patience = u64::try_from(COPYING.as_millis()).unwrap_or(u64::MAX);
    desk.ask(COPYING + ASKING, "copying to memory", hands.memory.drain(patience, desk.token()))
}

fn remembered(server: &str, told: Option<&Result<Copied, Failure>>) -> String {
    match told {
        None => String::new(),
        Some(Ok(Copied { waiting: 0, stored: 0, .. })) => String::new(),
        Some(Ok(Copied { waiting: 0, stored, .. })) => format!("{server} has {stored} copies that waited for it\n"),
        Some(Ok(Copied { waiting, why, .. })) => {
            format!("{waiting} copies wait for {server}: {}\n", why.as_deref().unwrap_or("there was no time"))
        }
        Some(Err(failure)) => format!("{server} is no memory: {failure}\n  → {}\n", failure.hint()),
    }
}

/// Copies to memory what waits for it, and says what waits then.
///
/// # Errors
/// Those of the config; why the server cannot be used as memory.
pub(super) fn drain(context: &Context) -> Result<Done, Failure> {
    let settings = context.loaded()?.runnable()?;
    let desk = Desk::open()?;
    let (lanes, _facts) = lanes(desk.scope.waker().clone());
    let places = places(context)?;
    let hands = desk.inside(|| Hands::start(desk.scope.clone(), &lanes, Clock::start(), &places, &settings));
    let copied = copy(&desk, &hands);
    desk.ask(GRACE + ASKING, "ending the servers", hands.mcp.stop(GRACE))?;
    let copied = copied?;
    let exit = if copied.waiting == 0 { 0 } else { 3 };
    let (server, Copied { stored, waiting, why }) = (settings.memory.name(), &copied);
    Ok(match context.global.json {
        true => Done::value(&serde_json::json!({
            "schema": "dicast.memory/1", "server": server, "profile": settings.memory_profile.name(),
            "stored": stored, "waiting": waiting, "why": why,
        })),
        false => Done::lines(match waiting {
            0 => format!("nothing waits for {server} any more: it has {stored} copies\n"),
            _ => remembered(server, Some(&Ok(copied))),
        }),
    }
    .with_exit(exit))
}

/// Returns which of these answers of a run memory has, by the hashes of their bytes. Only the memory server is started
/// for it. One that does not answer, or may not be started, has none: that is said on stderr.
pub(super) fn in_memory(
    context: &Context,
    desk: &Desk,
    spec: &SpecId,
    run: &RunId,
    wanted: BTreeSet<Sha>,
) -> BTreeSet<Sha> {
    let ask = || {
        let mut settings = context.loaded()?.runnable()?;
        let memory = settings.memory.name().to_owned();
        settings.servers.retain(|name, _| *name == memory);
        let (lanes, _facts) = lanes(desk.scope.waker().clone());
        let places = places(context)?;
        let hands = desk.inside(|| Hands::start(desk.scope.clone(), &lanes, Clock::start(), &places, &settings));
        let patience_ms = u64::try_from(COPYING.as_millis()).unwrap_or(u64::MAX);
        let query = Query { tags: vec![format!("spec:{spec}"), format!("run:{run}")], wanted, patience_ms };
        let held = desk.ask(COPYING + ASKING, "asking memory", hands.memory.gather(query, desk.token()));
        desk.ask(GRACE + ASKING, "ending the servers", hands.mcp.stop(GRACE))?;
        held
    };
    match ask() {
        Ok(held) => held.into_keys().collect(),
        Err(failure) => {
            super::super::out::say(&format!("memory was not asked for what the evidence lacks: {failure}\n"));
            BTreeSet::new()
        }
    }
}

/// Says which memory is used and what waits for it. Nothing is started.
///
/// # Errors
/// Those of the config and of the disk.
pub(super) fn waiting(context: &Context) -> Result<Done, Failure> {
    let settings = context.loaded()?.settings;
    let waiting = memory::waiting(&context.store())?;
    let (server, profile) = (settings.memory.name(), settings.memory_profile.name());
    Ok(match context.global.json {
        true => Done::value(&serde_json::json!({
            "schema": "dicast.memory/1", "server": server, "profile": profile, "waiting": waiting,
        })),
        false => Done::lines(format!("server   {server}\nprofile  {profile}\nwaiting  {waiting}\n")),
    })
}

fn places(context: &Context) -> Result<Places, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::Disk {
        what: "finding our own program".into(),
        kind: DiskError::Other,
        why: error.to_string(),
    })?;
    Ok(Places {
        repo: context.repo.clone(),
        program,
        private: std::env::temp_dir(),
        config: context.global.config.clone(),
        speed: "0".into(),
        memory_delay_ms: 0,
    })
}

fn text(states: &[Status], settings: &Settings, begun: Moment) -> String {
    let row = |status: &Status| {
        let (word, more) = match &status.state {
            State::Starting => ("starting", format!("no answer after {} s", PATIENCE.as_secs())),
            State::Ready => ("ready", ready(status, begun)),
            State::Degraded { why } => ("degraded", why.clone()),
            State::Lost { why, .. } => ("lost", why.clone()),
            State::Dead { why } => ("gone", why.clone()),
        };
        let command = match settings.servers.get(&status.name) {
            Some(server) => server.place().to_owned(),
            None => "comes with dicast".to_owned(),
        };
        let said = status.last_line.as_ref().map(|line| format!(" (last line: {line})")).unwrap_or_default();
        vec![status.name.clone(), word.to_owned(), command, format!("{more}{said}")]
    };
    let offer = |offer: &Offer| {
        let next = format!("from {}; to start it: dicast trust approve --server {}", offer.from, offer.name);
        vec![offer.name.clone(), "offered".to_owned(), offer.server.place().to_owned(), next]
    };
    let rows: Vec<_> = states.iter().map(row).chain(settings.offers.iter().map(offer)).collect();
    table(&rows)
}

fn offer_json(offer: &Offer) -> String {
    let value = serde_json::json!({
        "schema": "dicast.server/1", "name": offer.name, "state": "offered", "from": offer.from, "hash": offer.hash,
    });
    format!("{value}\n")
}

/// What a server that answers says of itself, and how long it took to start.
fn ready(status: &Status, begun: Moment) -> String {
    let took = status.since.since(begun);
    let who = status.identity.as_ref().map(|who| format!("{who}, ")).unwrap_or_default();
    let protocol = status.protocol.as_ref().map(|protocol| format!("protocol {protocol}, ")).unwrap_or_default();
    format!("in {took} ms: {who}{protocol}tools: {}", status.tools.join(", "))
}

fn json(status: &Status, settings: &Settings, told: Option<&Result<Copied, Failure>>) -> String {
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        // The state is an object that names itself: its fields stand beside the others.
        let state = fields.remove("state").and_then(|state| state.as_object().cloned()).unwrap_or_default();
        fields.extend(state);
        if status.name == settings.memory.name() {
            let (waiting, why) = match told {
                Some(Ok(copied)) => (Some(copied.waiting), copied.why.clone()),
                Some(Err(failure)) => (None, Some(failure.to_string())),
                None => (None, None),
            };
            let profile = settings.memory_profile.name();
            fields.insert("memory".into(), serde_json::json!({"profile": profile, "waiting": waiting, "why": why}));
        }
        fields.insert("schema".into(), "dicast.server/1".into());
        fields.insert("since".into(), status.since.rfc3339().into());
    }
    format!("{value}\n")
}
