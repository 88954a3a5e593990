//! What fills the screen and what lies over it: places, selections and typed text.
//!
//! It must not know how anything is drawn.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Load;
use crate::app::line::Line;
use crate::app::msg::{Choice, Start};
use crate::domain::absent::Without;
use crate::domain::consensus::Side;
use crate::domain::dissent::Ledger;
use crate::domain::gate::Gate;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::moment::Moment;
use crate::domain::proposal::{Proposal, Rewritten};
use crate::domain::run::SeatKey;
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;
use crate::domain::transcript::Page;

/// What fills the screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum View {
    /// The repository: what was found, what `check` says, what could be asked.
    Home {
        /// The selected row: specs first, then next steps.
        cursor: usize,
    },
    /// One spec: its findings, requirements and stages.
    Spec {
        /// Which.
        spec: SpecId,
        /// The selected finding.
        cursor: usize,
    },
    /// A run: its agents, the verdict as it forms, what the selected agent writes.
    Dashboard {
        /// Which.
        run: RunId,
        /// The selected agent.
        cursor: usize,
        /// The focused pane, from 1.
        pane: u8,
        /// First claim shown in the verdict pane.
        scroll: usize,
    },
    /// Everything an agent wrote.
    Transcript(Transcript),
    /// A verdict and why.
    Verdict {
        /// Which run.
        run: RunId,
        /// Which stage.
        stage: Stage,
        /// The selected claim.
        cursor: usize,
        /// Whether agreed claims are all shown.
        all: bool,
    },
    /// The candidates of implement, and what the selected one changes.
    Candidates {
        /// Which run.
        run: RunId,
        /// The selected candidate.
        cursor: usize,
        /// The hunk of it at the top.
        hunk: usize,
        /// Whether old and new stand side by side, where there is room.
        beside: bool,
    },
    /// A conflict: both sides, and ways to settle it.
    Conflict(Conflict),
    /// What is proposed for a spec's document.
    Proposal(ProposalPage),
    /// What the gates ask of a spec.
    Gate(GateDialog),
    /// The texts that merging takes for one claim.
    Merged(MergedTexts),
    /// What stands open between the stages of a spec.
    Ledger(LedgerPage),
    /// The MCP servers.
    Servers {
        /// The selected one.
        cursor: usize,
    },
    /// What agents ask permission for.
    Permissions {
        /// The selected request.
        cursor: usize,
        /// The first line shown of it.
        scroll: usize,
    },
    /// What would be approved.
    Trust {
        /// First line shown.
        scroll: usize,
    },
    /// All keys.
    Help {
        /// First line shown.
        scroll: usize,
    },
}

/// What the words that are typed in a view are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// The reason of a decision about a conflict; whether a side was chosen.
    Settle {
        /// Whether one was.
        has_side: bool,
    },
    /// An answer to a gate, or why it can wait.
    Gate(Saying),
    /// Why a text is split off.
    Split,
    /// The reason of a decision about a row of the ledger.
    Ledger,
}

impl View {
    /// Returns what is being typed in the view, if something is.
    pub fn wording(&self) -> Option<Wording> {
        match self {
            View::Conflict(page) => page.typing.then_some(Wording::Settle { has_side: page.side.is_some() }),
            View::Gate(dialog) => dialog.saying.map(Wording::Gate),
            View::Merged(texts) => texts.asking.as_ref().map(|_| Wording::Split),
            View::Ledger(page) => page.asking.as_ref().map(|_| Wording::Ledger),
            View::Home { .. }
            | View::Spec { .. }
            | View::Proposal(_)
            | View::Dashboard { .. }
            | View::Transcript(_)
            | View::Verdict { .. }
            | View::Candidates { .. }
            | View::Servers { .. }
            | View::Permissions { .. }
            | View::Trust { .. }
            | View::Help { .. } => None,
        }
    }
}

/// The transcript view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// Whose.
    pub seat: SeatKey,
    /// The visible page.
    pub page: Load<Arc<Page>>,
    /// Whether the end is followed.
    pub follow: bool,
    /// The first visible line.
    pub top: u64,
    /// What is searched for.
    pub search: Option<String>,
    /// Whether a page is on its way.
    pub reading: bool,
}

/// The conflict view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Which run.
    pub run: RunId,
    /// Which stage.
    pub stage: Stage,
    /// Key of the claim.
    pub claim: Sha,
    /// What can be chosen, strongest first: of the verdict at hand.
    pub sides: Vec<Side>,
    /// The chosen side, from 0.
    pub side: Option<usize>,
    /// The selected citation.
    pub citation: usize,
    /// The reason as typed so far.
    pub reason: Line,
    /// Whether the reason has the keys.
    pub typing: bool,
    /// What is decided once the reason is there: waived or rejected.
    pub wanted: Option<Choice>,
    /// Since when a check runs.
    pub checking: Option<Moment>,
}

/// The gate dialog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateDialog {
    /// Of which spec.
    pub spec: SpecId,
    /// Which gates.
    pub gates: BTreeSet<Gate>,
    /// The run that waits for it, if one does.
    pub run: Option<RunId>,
    /// The selected question, among those that are open.
    pub cursor: usize,
    /// The chosen answer, from 0.
    pub choice: Option<usize>,
    /// The answer or reason as typed so far.
    pub words: Line,
    /// What is being typed, if something is.
    pub saying: Option<Saying>,
    /// Whether the gates are being held or an answer is being written.
    pub busy: bool,
}

/// What is typed in the gate dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Saying {
    /// An answer in own words.
    Answer,
    /// Why it can wait.
    Reason,
}

/// The view of what is proposed for a spec's document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProposalPage {
    /// Of which spec.
    pub spec: SpecId,
    /// What was read.
    pub proposal: Load<Arc<Proposal>>,
    /// The first row shown of what would change.
    pub scroll: usize,
    /// Whether a person's word is being carried out.
    pub busy: bool,
    /// What became of the document here.
    pub rewritten: Option<Arc<Rewritten>>,
}

/// The view of a claim's texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedTexts {
    /// Which run.
    pub run: RunId,
    /// Which stage.
    pub stage: Stage,
    /// Key of the claim.
    pub claim: Sha,
    /// The selected text.
    pub cursor: usize,
    /// Why it is to be split off, as typed so far.
    pub asking: Option<Line>,
}

/// The ledger view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerPage {
    /// Which spec.
    pub spec: SpecId,
    /// What was read.
    pub ledger: Load<Arc<Ledger>>,
    /// The selected row.
    pub cursor: usize,
    /// Whether what is closed is listed, too.
    pub all: bool,
    /// The first line shown of the selected row, while it is shown at length on a page of its own.
    pub detail: Option<usize>,
    /// What is decided once the reason is there.
    pub asking: Option<Weighed>,
}

/// A decision about a row of the ledger, while its reason is typed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    /// What is decided.
    pub choice: Choice,
    /// The stage of the row: the selection may have to move before the reason is there.
    pub stage: Stage,
    /// The key of the row.
    pub claim: Sha,
    /// The reason as typed so far.
    pub reason: Line,
}

/// What lies over a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Overlay {
    /// The command line.
    Command {
        /// What is typed.
        line: Line,
        /// Possible endings.
        completions: Vec<Completion>,
        /// The selected one.
        chosen: Option<usize>,
        /// What is wrong with what was entered.
        error: Option<Safe>,
        /// Position in the history while going through it.
        recalled: Option<usize>,
    },
    /// A search in a scrolling view.
    Search(Line),
    /// A question before agents that cost something are started.
    Preflight(Start),
    /// Who of a run's agents is asked, before they are.
    Roster {
        /// The run.
        start: Start,
        /// Who is left out.
        without: Without,
        /// The selected agent.
        cursor: usize,
    },
    /// A server that another program is configured with, by name: whole, before it is approved.
    Offer(String),
}

/// A possible ending of a typed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The whole line if it is taken.
    pub line: String,
    /// What it does.
    pub about: String,
}
