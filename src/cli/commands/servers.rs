//! `dicast servers`: starts the MCP servers, waits until each has answered or failed, and ends them again.

use std::time::Duration;

use super::super::ask::Desk;
use super::super::out::{Done, table};
use super::Context;
use crate::actors::lanes::lanes;
use crate::domain::failure::{DiskError, Failure};
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
    let left = desk.ask(GRACE + ASKING, "ending the servers", hands.mcp.stop(GRACE))?;
    if left > 0 {
        return Err(Failure::Server { server: "processes".into(), why: format!("{left} did not end") });
    }
    Ok(match context.global.json {
        true => Done::json(states.iter().map(json).chain(settings.offers.iter().map(offer_json)).collect::<String>()),
        false => Done::lines(text(&states, &settings, begun)),
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

fn json(status: &Status) -> String {
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        // The state is an object that names itself: its fields stand beside the others.
        let state = fields.remove("state").and_then(|state| state.as_object().cloned()).unwrap_or_default();
        fields.extend(state);
        fields.insert("schema".into(), "dicast.server/1".into());
        fields.insert("since".into(), status.since.rfc3339().into());
    }
    format!("{value}\n")
}
