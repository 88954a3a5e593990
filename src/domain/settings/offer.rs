//! An MCP server that another program of the user is configured with: it can be approved here, and is not started before.
//!
//! It must not know where such programs keep their configs.

use serde::{Deserialize, Serialize};

use super::{Server, TrustItem};
use crate::domain::hash::Sha;

/// A server that somebody else's config names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name there.
    pub name: String,
    /// The file that names it, as it is shown.
    pub from: String,
    /// What is approved: the hash of its name and everything that would run or be reached.
    pub hash: Sha,
    /// Whether exactly this was approved for this repository.
    pub is_approved: bool,
    /// What would run or be reached, to be shown.
    pub item: TrustItem,
    /// The server.
    pub server: Server,
}
