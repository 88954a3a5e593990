//! Which key means what where: one table, from which the last line of the screen and the help are drawn too.
//!
//! It must not know what an action does.

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::model::{Model, View};
use super::update::can;

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// In every view.
    Everywhere,
    /// The first-run screen.
    Home,
    /// One spec.
    Spec,
    /// A run.
    Dashboard,
    /// Everything an agent wrote.
    Transcript,
    /// A verdict.
    Verdict,
    /// The candidates of implement.
    Candidates,
    /// A conflict.
    Conflict,
    /// What is proposed for a spec's document.
    Proposal,
    /// What the gates ask.
    Gate,
    /// The texts of a claim.
    Merged,
    /// The ledger of a spec.
    Ledger,
    /// The MCP servers.
    Servers,
    /// What agents ask permission for.
    Permissions,
    /// What would be approved.
    Trust,
    /// All keys.
    Help,
}

impl Place {
    /// Returns the place of a view.
    pub fn of(view: &View) -> Self {
        match view {
            View::Home { .. } => Place::Home,
            View::Spec { .. } => Place::Spec,
            View::Dashboard { .. } => Place::Dashboard,
            View::Transcript(_) => Place::Transcript,
            View::Verdict { .. } => Place::Verdict,
            View::Candidates { .. } => Place::Candidates,
            View::Conflict(_) => Place::Conflict,
            View::Proposal(_) => Place::Proposal,
            View::Gate(_) => Place::Gate,
            View::Merged(_) => Place::Merged,
            View::Ledger(_) => Place::Ledger,
            View::Servers { .. } => Place::Servers,
            View::Permissions { .. } => Place::Permissions,
            View::Trust { .. } => Place::Trust,
            View::Help { .. } => Place::Help,
        }
    }

    /// Returns its heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Place::Everywhere => "everywhere",
            Place::Home => "first screen",
            Place::Spec => "one spec",
            Place::Dashboard => "a run",
            Place::Transcript => "transcript",
            Place::Verdict => "verdict",
            Place::Candidates => "candidates",
            Place::Conflict => "conflict",
            Place::Proposal => "what is proposed for a spec",
            Place::Gate => "what the gates ask",
            Place::Merged => "merged texts",
            Place::Ledger => "dissent ledger",
            Place::Servers => "MCP servers",
            Place::Permissions => "permission queue",
            Place::Trust => "what would be approved",
            Place::Help => "this page",
        }
    }
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// Select the previous row, or scroll one line up.
    Up,
    /// Select the next row, or scroll one line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the beginning.
    Top,
    /// To the end.
    Bottom,
    /// Open or start what is selected.
    Open,
    /// Close what is open; with nothing open and a run live, stop it.
    Back,
    /// Leave the view, or the program.
    Quit,
    /// Open the command line.
    Command,
    /// Open the command line with everything offered.
    Palette,
    /// Show all keys.
    Help,
    /// The next pane.
    NextPane,
    /// The previous pane.
    PreviousPane,
    /// A pane by its number.
    Pane(u8),
    /// Plan the selected spec.
    Plan,
    /// Start the next stage of the spec.
    NextStep,
    /// Stop the selected agent.
    StopAgent,
    /// Stop the run.
    StopRun,
    /// Go on with a stopped run, or ask those that did not answer again.
    AskAgain,
    /// Start over.
    Fresh,
    /// Show the verdict.
    Verdict,
    /// Show the run of the spec.
    Run,
    /// Show agreed claims too.
    ShowAll,
    /// Ask only those that did not answer.
    AskMissing,
    /// Ask the panel once what stands open.
    Round,
    /// Read the document.
    Document,
    /// Run the check that would settle it.
    Check,
    /// Choose a side.
    Choose(u8),
    /// Answer in own words.
    Answer,
    /// Put the question off.
    Defer,
    /// Show what the gates ask.
    Gate,
    /// Show what is proposed for the spec's document.
    Proposal,
    /// Make a new spec.
    New,
    /// Uphold the objection: the stage is rejected.
    Reject,
    /// Let the stage go on although the objection stands.
    Waive,
    /// Type the reason.
    Reason,
    /// Accept the condition.
    Accept,
    /// Look at the texts that were merged, and split one off.
    Split,
    /// Take the last decision back.
    Undo,
    /// Show what stands open between the stages of the spec.
    Ledger,
    /// The next conflict.
    NextConflict,
    /// The previous conflict.
    PreviousConflict,
    /// Show the candidates of implement.
    Candidates,
    /// Put the selected candidate into the working copy.
    IntoTree,
    /// The next hunk of the selected candidate.
    NextHunk,
    /// The hunk before.
    PreviousHunk,
    /// Take the hunk at the top, or leave it.
    Pick,
    /// Take what was tried after all.
    Restore,
    /// Take the tests of the others that pass here, too.
    KeepTests,
    /// Show old and new side by side, or one below the other.
    Beside,
    /// Give the terminal back to the shell for a while.
    Suspend,
    /// Give the terminal back for good: the run goes on without a screen.
    Detach,
    /// Open the place in the editor.
    Editor,
    /// Copy to the clipboard.
    Copy,
    /// Follow the end.
    Follow,
    /// Search.
    Search,
    /// The next match.
    NextMatch,
    /// Show the MCP servers.
    Servers,
    /// Show what agents ask permission for.
    Permissions,
    /// Give the permission that is asked for, once.
    AllowOnce,
    /// Give it, also for others like it, as long as the agent's session lasts.
    AllowAlways,
    /// Start the selected server again.
    Restart,
    /// Look at what would be approved.
    Trust,
    /// Approve it.
    Approve,
    /// Look at the nth server that another program is configured with, to approve it.
    Offer(u8),
    /// Read and check the repository again.
    Survey,
    /// Write the first config of the repository.
    Init,
    /// Write a recording for a bug report.
    Dump,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Where it holds.
    pub place: Place,
    /// The keys; the first one is shown.
    pub keys: &'static [Key],
    /// What they mean.
    pub action: Action,
    /// In words, short enough for the last line.
    pub label: &'static str,
    /// Order on the last line; 0 is not shown there.
    pub rank: u8,
}

const fn bind(place: Place, keys: &'static [Key], action: Action, label: &'static str, rank: u8) -> Binding {
    Binding { place, keys, action, label, rank }
}

use Action as A;
use Place as P;

/// All bindings. A view's own come before those that hold everywhere.
pub const TABLE: &[Binding] = &[
    bind(P::Home, &[Key::Enter], A::Open, "open", 1),
    bind(P::Home, &[Key::Char('i')], A::Init, "init", 2),
    bind(P::Home, &[Key::Char('p')], A::Plan, "plan", 2),
    bind(P::Home, &[Key::Char('a')], A::Trust, "approve", 3),
    bind(P::Home, &[Key::Char('n')], A::New, "new spec", 5),
    bind(P::Home, &[Key::Char('c')], A::Survey, "check again", 4),
    bind(P::Spec, &[Key::Enter], A::NextStep, "next step", 1),
    bind(P::Spec, &[Key::Char('p')], A::Plan, "plan", 2),
    bind(P::Spec, &[Key::Char('v')], A::Verdict, "verdict", 3),
    bind(P::Spec, &[Key::Char('r')], A::Run, "run", 4),
    bind(P::Spec, &[Key::Char('c')], A::Gate, "clarify", 5),
    bind(P::Spec, &[Key::Char('d')], A::Ledger, "dissent", 6),
    bind(P::Spec, &[Key::Char('o')], A::Editor, "editor", 7),
    bind(P::Dashboard, &[Key::Char('P')], A::Permissions, "permission", 1),
    bind(P::Dashboard, &[Key::Enter], A::Open, "open", 1),
    bind(P::Dashboard, &[Key::Char('v')], A::Verdict, "verdict", 2),
    bind(P::Dashboard, &[Key::Char('x')], A::StopAgent, "stop agent", 3),
    bind(P::Dashboard, &[Key::Char('r')], A::AskAgain, "ask again", 4),
    bind(P::Dashboard, &[Key::Char('n')], A::Fresh, "from scratch", 5),
    bind(P::Dashboard, &[Key::Char('d')], A::Detach, "detach", 6),
    bind(P::Dashboard, &[Key::Char('c')], A::Gate, "answer", 1),
    bind(P::Dashboard, &[Key::Char('/')], A::Command, "command", 0),
    bind(P::Transcript, &[Key::Char('f')], A::Follow, "follow", 1),
    bind(P::Transcript, &[Key::Char('/')], A::Search, "search", 2),
    bind(P::Transcript, &[Key::Char('N')], A::NextMatch, "next match", 3),
    bind(P::Verdict, &[Key::Enter], A::Open, "decide", 1),
    bind(P::Verdict, &[Key::Char('t')], A::Check, "run check", 2),
    bind(P::Verdict, &[Key::Char('R')], A::Round, "one round", 3),
    bind(P::Verdict, &[Key::Char('m')], A::AskMissing, "ask missing", 3),
    bind(P::Verdict, &[Key::Char('p')], A::Document, "document", 4),
    bind(P::Verdict, &[Key::Char('a')], A::ShowAll, "show all", 5),
    bind(P::Verdict, &[Key::Char('u')], A::Undo, "undo", 6),
    bind(P::Verdict, &[Key::Char('S')], A::Split, "split", 7),
    bind(P::Verdict, &[Key::Char('d')], A::Ledger, "dissent", 8),
    bind(P::Verdict, &[Key::Char('c')], A::Candidates, "candidates", 2),
    bind(P::Verdict, &[Key::Char('w')], A::Proposal, "what changes", 2),
    bind(P::Verdict, &[Key::Char('o')], A::Editor, "editor", 9),
    bind(P::Candidates, &[Key::Enter], A::Open, "make branch", 1),
    bind(P::Candidates, &[Key::Char('W')], A::IntoTree, "into my tree", 2),
    bind(P::Candidates, &[Key::Char('u')], A::Undo, "undo", 3),
    bind(P::Candidates, &[Key::Char(']')], A::NextHunk, "hunk", 4),
    bind(P::Candidates, &[Key::Char('[')], A::PreviousHunk, "hunk before", 0),
    bind(P::Candidates, &[Key::Char(' ')], A::Pick, "take", 5),
    bind(P::Candidates, &[Key::Char('t')], A::Restore, "as tried", 6),
    bind(P::Candidates, &[Key::Char('m')], A::KeepTests, "keep their tests", 6),
    bind(P::Candidates, &[Key::Char('s')], A::Beside, "side by side", 7),
    bind(P::Candidates, &[Key::Char('v')], A::Verdict, "verdict", 8),
    bind(P::Conflict, &[Key::Enter], A::Open, "keep", 1),
    bind(P::Conflict, &[Key::Char('1')], A::Choose(1), "choose 1", 2),
    bind(P::Conflict, &[Key::Char('2')], A::Choose(2), "choose 2", 2),
    bind(P::Conflict, &[Key::Char('b')], A::Reject, "reject", 3),
    bind(P::Conflict, &[Key::Char('t')], A::Check, "run check", 4),
    bind(P::Conflict, &[Key::Char('w')], A::Waive, "waive", 5),
    bind(P::Conflict, &[Key::Char('i')], A::Reason, "reason", 6),
    bind(P::Conflict, &[Key::Char('u')], A::Undo, "undo", 7),
    bind(P::Conflict, &[Key::Char(']')], A::NextConflict, "next", 8),
    bind(P::Conflict, &[Key::Char('[')], A::PreviousConflict, "previous", 0),
    bind(P::Conflict, &[Key::Char('o')], A::Editor, "editor", 9),
    bind(P::Proposal, &[Key::Enter], A::Open, "apply", 1),
    bind(P::Proposal, &[Key::Char('u')], A::Undo, "undo", 2),
    bind(P::Proposal, &[Key::Char('c')], A::Gate, "clarify", 3),
    bind(P::Proposal, &[Key::Char('p')], A::Document, "why", 4),
    bind(P::Proposal, &[Key::Char('o')], A::Editor, "editor", 5),
    bind(P::Gate, &[Key::Enter], A::Open, "apply", 1),
    bind(P::Gate, &[Key::Char('1')], A::Choose(1), "choose 1", 2),
    bind(P::Gate, &[Key::Char('2')], A::Choose(2), "choose 2", 2),
    bind(P::Gate, &[Key::Char('3')], A::Choose(3), "choose 3", 2),
    bind(P::Gate, &[Key::Char('e')], A::Answer, "own words", 3),
    bind(P::Gate, &[Key::Char('d')], A::Defer, "put off", 4),
    bind(P::Gate, &[Key::Char('u')], A::Undo, "undo", 5),
    bind(P::Gate, &[Key::Char('o')], A::Editor, "editor", 6),
    bind(P::Merged, &[Key::Enter, Key::Char('S')], A::Open, "split it off", 1),
    bind(P::Ledger, &[Key::Enter], A::Open, "detail", 1),
    bind(P::Ledger, &[Key::Char('w')], A::Waive, "waive", 2),
    bind(P::Ledger, &[Key::Char('b')], A::Reject, "reject", 3),
    bind(P::Ledger, &[Key::Char('c')], A::Accept, "accept", 4),
    bind(P::Ledger, &[Key::Char('a')], A::ShowAll, "open or all", 5),
    bind(P::Ledger, &[Key::Char('u')], A::Undo, "undo", 6),
    bind(P::Permissions, &[Key::Char('a')], A::AllowOnce, "allow once", 1),
    bind(P::Permissions, &[Key::Char('b')], A::Reject, "reject", 2),
    bind(P::Permissions, &[Key::Char('A')], A::AllowAlways, "allow for its session", 3),
    bind(P::Servers, &[Key::Char('r')], A::Restart, "restart", 1),
    bind(P::Trust, &[Key::Char('a')], A::Approve, "approve", 1),
    bind(P::Trust, &[Key::Char('1')], A::Offer(1), "first server", 2),
    bind(P::Trust, &[Key::Char('2')], A::Offer(2), "second server", 0),
    bind(P::Trust, &[Key::Char('3')], A::Offer(3), "third server", 0),
    bind(P::Trust, &[Key::Char('4')], A::Offer(4), "fourth server", 0),
    bind(P::Trust, &[Key::Char('5')], A::Offer(5), "fifth server", 0),
    bind(P::Servers, &[Key::Char('a')], A::Trust, "look at offered ones", 2),
    bind(P::Everywhere, &[Key::Up, Key::Char('k')], A::Up, "up", 0),
    bind(P::Everywhere, &[Key::Down, Key::Char('j')], A::Down, "down", 0),
    bind(P::Everywhere, &[Key::PageUp, Key::Ctrl('u')], A::PageUp, "page up", 0),
    bind(P::Everywhere, &[Key::PageDown, Key::Ctrl('d')], A::PageDown, "page down", 0),
    bind(P::Everywhere, &[Key::Home, Key::Char('g')], A::Top, "first", 0),
    bind(P::Everywhere, &[Key::End, Key::Char('G')], A::Bottom, "last", 0),
    bind(P::Everywhere, &[Key::Esc], A::Back, "back", 20),
    bind(P::Everywhere, &[Key::Char('X')], A::StopRun, "stop run", 0),
    bind(P::Everywhere, &[Key::Char(':')], A::Command, "command", 21),
    bind(P::Everywhere, &[Key::Char(' ')], A::Palette, "palette", 0),
    bind(P::Everywhere, &[Key::Tab], A::NextPane, "pane", 0),
    bind(P::Everywhere, &[Key::BackTab], A::PreviousPane, "previous pane", 0),
    bind(P::Everywhere, &[Key::Char('1')], A::Pane(1), "pane 1", 0),
    bind(P::Everywhere, &[Key::Char('2')], A::Pane(2), "pane 2", 0),
    bind(P::Everywhere, &[Key::Char('3')], A::Pane(3), "pane 3", 0),
    bind(P::Everywhere, &[Key::Char('y')], A::Copy, "copy", 0),
    bind(P::Everywhere, &[Key::Char('s')], A::Servers, "servers", 0),
    bind(P::Everywhere, &[Key::Char('P')], A::Permissions, "permission queue", 0),
    bind(P::Everywhere, &[Key::Char('?')], A::Help, "keys", 22),
    bind(P::Everywhere, &[Key::Char('q'), Key::Ctrl('c')], A::Quit, "quit", 23),
    bind(P::Everywhere, &[Key::Ctrl('z')], A::Suspend, "to the shell, fg comes back", 0),
    bind(P::Everywhere, &[Key::F(12)], A::Dump, "record for a bug report", 0),
];

/// Returns what a key means here, if it means anything.
pub fn lookup(model: &Model, key: Key) -> Option<Action> {
    bindings(model).find(|binding| binding.keys.contains(&key)).map(|binding| binding.action)
}

/// Returns the bindings that work here and now, a view's own before those that hold everywhere.
pub fn bindings(model: &Model) -> impl Iterator<Item = &'static Binding> {
    let place = Place::of(model.view());
    TABLE
        .iter()
        .filter(move |binding| binding.place == place || binding.place == Place::Everywhere)
        .filter(move |binding| can(model, binding.action))
}

/// Returns the bindings for the last line, in their order.
pub fn footer(model: &Model) -> Vec<&'static Binding> {
    let mut shown: Vec<_> = bindings(model).filter(|binding| binding.rank > 0).collect();
    shown.sort_by_key(|binding| binding.rank);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for (i, a) in TABLE.iter().enumerate() {
            for b in &TABLE[i + 1..] {
                let shared = a.keys.iter().any(|key| b.keys.contains(key));
                assert!(!(shared && a.place == b.place), "{a:?} and {b:?}");
            }
        }
    }
}
