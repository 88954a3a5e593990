//! Dicast as an MCP server: six tools over what the commands do, verdicts and evidence as resources.
//!
//! It owns the protocol and nothing else: what is asked goes to an [`Office`]. A run that a client cancels, or whose
//! client goes, is stopped as Esc stops it.

mod address;
pub mod http;
mod jury;

use std::sync::Arc;

use rmcp::ServiceExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

pub use self::address::Address;

use self::jury::Jury;
use crate::domain::failure::Failure;
use crate::domain::stage::Stage;
use crate::pipeline::{Event, Run};

/// What does the work: the program's commands, asked by clients. Its methods may block; the server calls them where
/// that is allowed.
pub trait Office: Send + Sync + 'static {
    /// Answers a question about what is there; nothing is changed.
    ///
    /// # Errors
    /// What the command of the same name fails with.
    fn answer(&self, question: &Question) -> Result<Value, Failure>;

    /// Starts a run of one stage.
    ///
    /// # Errors
    /// What keeps it from starting: an unknown spec, a config that was not approved.
    fn start(&self, asked: &RunStage) -> Result<Session, Failure>;

    /// Says an event in a line for people; empty where it is no news.
    fn words(&self, event: &Event) -> String;

    /// Lists what can be read: recorded verdicts, then what the evidence has of each run.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn contents(&self) -> Result<Vec<Address>, Failure>;

    /// Reads one of them; nothing where it is not there. Evidence is read only as its journal names it, and held
    /// against its hash.
    ///
    /// # Errors
    /// When it cannot be read, or was altered.
    fn read(&self, address: &Address) -> Result<Option<String>, Failure>;

    /// Takes secrets out of what is about to be told.
    fn hide(&self, told: &mut Value);
}

/// A run that a client asked for.
pub struct Session {
    /// The run.
    pub run: Run,
    /// Held as long as it is live; dropping it may block.
    pub held: Box<dyn Send>,
}

/// Something that is only looked up.
#[derive(Debug, Clone)]
pub enum Question {
    /// Every spec with its recorded verdicts.
    ListSpecs,
    /// What the rules find.
    Check(Check),
    /// A recorded verdict, and whether it still holds.
    GetVerdict(OfStage),
    /// The arithmetic of one claim.
    Explain(Explain),
    /// Losing assertions, open and closed.
    ListDissent(OfSpec),
}

/// Arguments of `check`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Check {
    /// Only this spec: its id, or a unique beginning of it.
    pub spec: Option<String>,
    /// Also look for changes in these commits that no task asked for: A..B.
    pub range: Option<String>,
}

/// Arguments of `list_dissent`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct OfSpec {
    /// The spec's id, or a unique beginning of it.
    pub spec: String,
}

/// Arguments of `get_verdict`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct OfStage {
    /// The spec's id, or a unique beginning of it.
    pub spec: String,
    /// Which stage.
    pub stage: Stage,
}

/// Arguments of `explain`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Explain {
    /// The spec's id, or a unique beginning of it.
    pub spec: String,
    /// Which stage.
    pub stage: Stage,
    /// The claim: its key, the start of it, "kind subject", or a subject such as FR-001.
    pub claim: String,
}

/// Arguments of `run_stage`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct RunStage {
    /// The spec's id, or a unique beginning of it.
    pub spec: String,
    /// Which stage.
    pub stage: Stage,
    /// Does not go on with a stopped run, but starts anew.
    #[serde(default)]
    pub fresh: bool,
    /// Asks only the agents that did not answer last time.
    #[serde(default)]
    pub rerun_missing: bool,
    /// The commits whose change is audited, as `A..B`; only for the stage audit.
    #[serde(default)]
    pub range: Option<String>,
    /// Names of agents that are left out of this run: they count as not asked, and the verdict says so.
    #[serde(default)]
    pub without: Vec<String>,
}

/// Serves on a pair of pipes until `reading` ends or `stop` is cancelled. Runs that are live then are the office's to
/// end.
///
/// # Errors
/// [`Failure::Server`] when the handshake or the pipe fails.
pub async fn serve_on(
    office: Arc<dyn Office>,
    reading: impl AsyncRead + Send + Unpin + 'static,
    writing: impl AsyncWrite + Send + Unpin + 'static,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let serving = async {
        match Box::pin(Jury::new(office).serve((reading, writing))).await {
            Ok(running) => running.waiting().await.map(|_| ()).map_err(|error| broken(error.to_string())),
            // A client that left before it had said anything is no failure of ours.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
            Err(error) => Err(broken(error.to_string())),
        }
    };
    tokio::select! {
        served = serving => served,
        () = stop.cancelled() => Ok(()),
    }
}

/// Serves on stdin and stdout until the input ends or `stop` is cancelled.
///
/// # Errors
/// As [`serve_on`].
pub async fn serve_stdio(office: Arc<dyn Office>, stop: CancellationToken) -> Result<(), Failure> {
    // Non-blocking pipes: a pending read of tokio's own stdin would keep the runtime alive after a signal.
    let (reading, writing) = rmcp::transport::stdio_pipes();
    serve_on(office, reading, writing, stop).await
}

fn broken(why: String) -> Failure {
    Failure::Server { server: "dicast".into(), why }
}
