//! Agents that are spoken to over the Agent Client Protocol: one process for each agent of a run, kept warm from the
//! stage's preflight to the end of the run.
//!
//! It owns which of them live. It must not know runs beyond their names: who begins and ends one says so
//! ([`Warm::start`], [`Warm::dismiss`]).

mod talk;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use self::talk::{EndOf, Job, Order, Talk};
use self::wire::Wire;
use super::command::{Tools, not_started, not_taken, started_by};
use super::process::Tag;
use crate::actors::{MAILBOX, Promise, Reply, promise};
use crate::domain::acp::Answer;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::ids::{AgentName, RunId};
use crate::domain::run::{Launch, SeatKey, Turn, TurnEnded};

/// The agents that are kept warm; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Warm {
    kept: Arc<Mutex<BTreeMap<Place, Kept>>>,
}

/// One agent of a run, and the folder that it may change, if any: whoever writes is another process than who reads.
type Place = (RunId, AgentName, Option<String>);

/// Who may be started for which run: nobody after its dismissal whose start was asked for before. Kept by whoever takes
/// requests in their order; what is started runs beside each other.
#[derive(Debug, Default)]
pub(super) struct Leases(BTreeMap<RunId, Lease>);

/// Leave to start an agent; it ends with its run's dismissal.
pub(super) type Lease = CancellationToken;

impl Leases {
    /// Returns the leave that is given now.
    pub(super) fn give(&mut self, run: &RunId) -> Lease {
        self.0.entry(run.clone()).or_default().clone()
    }

    /// Takes back whatever was given.
    pub(super) fn end(&mut self, run: &RunId) {
        self.0.remove(run).iter().for_each(Lease::cancel);
    }
}

/// One agent.
#[derive(Debug)]
struct Kept {
    orders: mpsc::Sender<Order>,
    end: EndOf,
    /// How many processes are left of it, once it has ended.
    left: Reply<u32>,
}

impl Warm {
    /// Starts an agent's process, unless it runs.
    pub(super) async fn start(
        &self,
        tools: &Tools,
        lease: &Lease,
        (run, agent): (&RunId, &AgentName),
        launch: &Launch,
    ) -> Result<(), AgentError> {
        self.orders(tools, lease, (run, agent), launch).await.map(drop)
    }

    /// Takes a turn of an agent, in the process that it has or in a new one.
    pub(super) async fn take_turn(
        &self,
        tools: &Tools,
        lease: &Lease,
        turn: Turn,
        (stop, kill): (CancellationToken, CancellationToken),
        promise: Promise<TurnEnded>,
    ) {
        if stop.is_cancelled() || kill.is_cancelled() || tools.scope.cancel.is_cancelled() {
            return promise.keep(Ok(not_taken(turn, AgentError::Cancelled)));
        }
        let orders = match self.orders(tools, lease, (&turn.seat.run, &turn.seat.agent), &turn.launch).await {
            Ok(orders) => orders,
            Err(error) => return promise.keep(Ok(not_taken(turn, error))),
        };
        let job = Box::new(Job { turn, stop, kill, promise });
        if let Err(
            mpsc::error::TrySendError::Full(Order::Take(job)) | mpsc::error::TrySendError::Closed(Order::Take(job)),
        ) = orders.try_send(Order::Take(job))
        {
            // It died while it was asked.
            let Job { turn, promise, .. } = *job;
            let error = AgentError::Crashed { how: "its process ended before it was asked".into() };
            promise.keep(Ok(not_taken(turn, error)));
        }
    }

    /// Passes the answer to a request for permission on; one that is not open any more was cancelled.
    pub(super) async fn permit(&self, seat: SeatKey, number: u64, answer: Answer) -> Result<(), Failure> {
        let kept = self.kept.lock().await;
        // Whose turn it is not does not heed it.
        let of = |(run, agent, _): &Place| *run == seat.run && *agent == seat.agent;
        for (_, kept) in kept.iter().filter(|(place, _)| of(place)) {
            let order = Order::Permit { seat: seat.clone(), number, answer };
            if let Err(mpsc::error::TrySendError::Full(_)) = kept.orders.try_send(order) {
                return Err(Failure::Busy { actor: "agents".into() });
            }
        }
        Ok(())
    }

    /// Ends every agent of a run, without any grace once `kill` is cancelled; returns how many processes are left of them.
    pub(super) async fn dismiss(&self, run: &RunId, kill: &CancellationToken) -> Result<u32, Failure> {
        let mut leaving = Vec::new();
        {
            let mut kept = self.kept.lock().await;
            let names: Vec<_> = kept.keys().filter(|(of, ..)| of == run).cloned().collect();
            leaving.extend(names.iter().filter_map(|name| kept.remove(name)));
        }
        let ends: Vec<EndOf> = leaving.iter().map(|kept| kept.end.clone()).collect();
        ends.iter().for_each(|end| end.close.cancel());
        let gone = async {
            let mut left = 0;
            for kept in leaving {
                left += kept.left.await?;
            }
            Ok(left)
        };
        let hurry = async {
            kill.cancelled().await;
            ends.iter().for_each(|end| end.kill.cancel());
            std::future::pending::<()>().await;
        };
        tokio::select! {
            gone = gone => gone,
            () = hurry => Ok(0),
        }
    }

    async fn orders(
        &self,
        tools: &Tools,
        lease: &Lease,
        (run, agent): (&RunId, &AgentName),
        launch: &Launch,
    ) -> Result<mpsc::Sender<Order>, AgentError> {
        let mut kept = self.kept.lock().await;
        // Who dismisses takes the leave first and looks then: whoever is started here is found there.
        if lease.is_cancelled() {
            return Err(AgentError::Cancelled);
        }
        let folder = launch.transport.manner().and_then(|manner| manner.folder.clone());
        let place = (run.clone(), agent.clone(), folder);
        if let Some(kept) = kept.get(&place).filter(|kept| !kept.orders.is_closed()) {
            return Ok(kept.orders.clone());
        }
        if let Some(Err(failure)) = tools.furnish(launch.private.as_ref()).await {
            return Err(AgentError::Crashed { how: failure.to_string() });
        }
        let started = begin(tools, run, agent, launch)?;
        let orders = started.orders.clone();
        kept.insert(place, started);
        Ok(orders)
    }
}

fn begin(tools: &Tools, run: &RunId, agent: &AgentName, launch: &Launch) -> Result<Kept, AgentError> {
    let manner = launch.transport.manner().cloned().unwrap_or_default();
    // No two that live have the same tag.
    let how = if manner.folder.is_some() { "/writes" } else { "" };
    let tag = Tag { run: run.to_string(), seat: format!("acp/{agent}{how}") };
    let child = tools.children.start(&started_by(launch, tag)).map_err(not_started)?;
    let wire = Wire::new(child, &launch.limits);
    let talk = Talk::new(tools.clone(), launch.clone(), manner, wire);
    let (orders, mailbox) = mpsc::channel(MAILBOX);
    let end = EndOf { close: tools.scope.cancel.child_token(), kill: CancellationToken::new() };
    let (ended, left) = promise("agents", tools.scope.waker());
    let (until, private, scope) = (end.clone(), launch.private.clone(), tools.clone());
    tools.scope.spawn(async move {
        let left = talk.run(mailbox, until).await;
        scope.clear(private).await;
        ended.keep(Ok(left));
    });
    Ok(Kept { orders, end, left })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test waits for its future on a runtime of its own")]
mod tests {
    use std::path::Path;

    use super::super::process::Children;
    use super::*;
    use crate::actors::lanes::lanes;
    use crate::actors::{Scope, Waker};
    use crate::domain::moment::Moment;
    use crate::domain::redact::Redactor;
    use crate::domain::run::Limits;
    use crate::domain::stream::Transport;

    fn tools(folder: &Path) -> Tools {
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let (lanes, _) = lanes(Waker::nobody());
        let (children, transcripts) = (Children::new(&scope), folder.to_owned());
        Tools { scope, lanes, children, transcripts, redactor: Arc::new(Redactor::default()), servers: None }
    }

    #[tokio::test]
    async fn a_start_that_comes_after_the_dismissal_of_its_run_starts_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (tools, warm, mut leases) = (tools(folder.path()), Warm::default(), Leases::default());
        let (run, agent) = (RunId::mint(Moment(1), 2, 3), AgentName::new("one").unwrap());
        let launch = Launch {
            command: vec!["cat".into()],
            env: BTreeMap::new(),
            env_pass: vec!["PATH".into()],
            cwd: "/".into(),
            transport: Transport::Acp(Box::default()),
            private: None,
            limits: Limits::default(),
        };
        let early = leases.give(&run);
        leases.end(&run);
        assert_eq!(warm.dismiss(&run, &CancellationToken::new()).await, Ok(0));
        let started = warm.start(&tools, &early, (&run, &agent), &launch).await;
        assert_eq!((started, tools.children.living()), (Err(AgentError::Cancelled), vec![]));
        // A run that goes on has leave again.
        let again = leases.give(&run);
        warm.start(&tools, &again, (&run, &agent), &launch).await.unwrap();
        assert_eq!(tools.children.living().len(), 1);
        assert_eq!(warm.dismiss(&run, &CancellationToken::new()).await, Ok(0));
        assert_eq!(tools.children.living(), Vec::<u32>::new());
    }
}
