//! What actors tell unasked: facts that must not get lost. Progress, of which only the latest counts, is
//! [`super::run::Progress`].

use serde::{Deserialize, Serialize};

use super::acp;
use super::memory;
use super::run::{SeatKey, TurnKind};
use super::server;

/// Something that happened, told on the facts lane: bounded, awaited, never dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A server changed its state.
    ServerChanged(Box<server::Status>),
    /// More or fewer copies wait for memory, or it has another trouble.
    MemoryChanged(memory::Status),
    /// An agent is at work.
    AgentStarted {
        /// Who.
        seat: SeatKey,
        /// Draft or repair.
        kind: TurnKind,
        /// Its process id, which is also its group's; 0 for a model over HTTP.
        pid: u32,
    },
    /// An agent asks for permission, and waits for the answer.
    PermissionAsked(Box<acp::Request>),
}
