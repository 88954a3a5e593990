//! Signals, and what happens when the loop cannot answer them.
//!
//! A task of the runtime listens. It tells the loop; if the loop has not moved within [`PATIENCE`] (a terminal that
//! stops reading blocks its write), the task kills every group, restores the terminal as well as it can, and exits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::actors::Scope;
use crate::actors::agents::process::Children;
use crate::app::msg::Signal;

/// How long the loop may take to answer a signal.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the loop tells the listener.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug, Default)]
struct Beats {
    turns: AtomicU64,
    /// What is live goes on without its terminal.
    stays: AtomicBool,
}

impl Pulse {
    /// One more turn.
    pub fn beat(&self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on a terminal that goes away is no reason to end.
    pub fn stay(&self) {
        self.0.stays.store(true, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.turns.load(Ordering::Relaxed)
    }

    fn stays(&self) -> bool {
        self.0.stays.load(Ordering::Relaxed)
    }
}

/// Listens for signals; returns where they arrive.
///
/// # Errors
/// When the system does not let us listen.
pub fn listen(
    scope: &Scope,
    children: Children,
    pulse: Pulse,
    has_terminal: bool,
) -> std::io::Result<mpsc::Receiver<Signal>> {
    let (sender, receiver) = mpsc::channel(8);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let waker = scope.waker().clone();
    let cancel = scope.cancel.clone();
    scope.spawn(async move {
        let mut asked: Option<Signal> = None;
        loop {
            // Once asked to end, the loop is woken and watched until we are gone: it may get stuck after it has heard.
            let before = pulse.count();
            if asked.is_some() {
                waker.wake();
            }
            let signal = tokio::select! {
                () = cancel.cancelled() => return,
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
                _ = hang_up.recv() => Signal::HangUp,
                () = tokio::time::sleep(PATIENCE), if asked.is_some() => {
                    if let Some(signal) = asked.filter(|_| pulse.count() == before) {
                        leave(&children, signal, has_terminal);
                    }
                    continue;
                }
            };
            tracing::info!(?signal, "asked to end");
            if signal == Signal::HangUp && has_terminal {
                super::terminal::forget_input();
            }
            // Of a run that goes on without its terminal nobody expects an end.
            if signal != Signal::HangUp || !pulse.stays() {
                asked.get_or_insert(signal);
            }
            // A full channel holds signals enough.
            let _ = sender.try_send(signal);
            waker.wake();
        }
    });
    Ok(receiver)
}

/// The loop hangs: end everything from here.
fn leave(children: &Children, signal: Signal, has_terminal: bool) -> ! {
    tracing::error!("the loop does not answer: leaving without it");
    children.kill_all();
    if has_terminal {
        super::terminal::restore_past_a_stuck_write();
    }
    std::process::exit(i32::from(signal.exit()));
}
