//! What is proposed for a spec's document, one model for each state of its page.

use std::sync::Arc;

use dicast::app::model::{Load, Model, ProposalPage, View};
use dicast::domain::check::{FileText, Tree};
use dicast::domain::compare::Change;
use dicast::domain::consensus::Status;
use dicast::domain::gate::{Gate, hold_in};
use dicast::domain::hash::Sha;
use dicast::domain::moment::Moment;
use dicast::domain::proposal::{Deed, Fit, Proposal, Rewritten};

use crate::fixtures::{Fixture, unreadable};
use crate::parts::*;

const OLD: &str = "# Feature Specification: Rate limiter\n\n## Requirements\n\n\
    - **FR-001**: System MUST refuse more than 10 requests a second with status 429.\n\
    - **FR-002**: System SHOULD answer quickly.\n\
    - **FR-003**: System MUST keep its counters somewhere.\n";

const NEW: &str = "# Feature Specification: Rate limiter\n\n## Requirements\n\n\
    - **FR-001**: System MUST refuse more than 10 requests a second with status 429.\n\
    - **FR-002**: System SHOULD answer within 200 ms at the 95th percentile, measured at the gateway over one minute, \
    with 1,000 clients at once and no more than one of them refused.\n\
    - **FR-003**: System MUST keep its counters in memory.\n\
    - **FR-004**: 系统必须在拒绝请求时告诉客户端多少秒之后可以再试一次，并且不得超过六十秒，除非管理员另有规定或者服务正在维护。\n\
    - **FR-005**: System MUST keep counting [NEEDS CLARIFICATION: for how long?] after a restart.\n";

/// Every state of the page.
pub(crate) fn all() -> Vec<Fixture> {
    let ready = |proposal: Proposal| page(Load::Ready(Arc::new(proposal)));
    vec![
        ("proposal", shown(ready(proposal(OLD, NEW, Fit::Fits)))),
        ("proposal_scrolled", shown(ProposalPage { scroll: 7, ..ready(proposal(OLD, NEW, Fit::Fits)) })),
        (
            "proposal_not_passed",
            shown(ready(Proposal {
                status: Status::Conflict,
                is_advancing: false,
                notes: None,
                ..proposal(OLD, NEW, Fit::Fits)
            })),
        ),
        ("proposal_writing", shown(ProposalPage { busy: true, ..ready(proposal(OLD, NEW, Fit::Fits)) })),
        (
            "proposal_written",
            shown(ProposalPage { rewritten: Some(written(NEW)), ..ready(proposal(OLD, NEW, Fit::Fits)) }),
        ),
        (
            "proposal_written_whole",
            shown(ProposalPage {
                rewritten: Some(written("# X\n\n- **FR-001**: It MUST wait 2 s before it answers.\n")),
                ..ready(proposal(OLD, NEW, Fit::Fits))
            }),
        ),
        ("proposal_adopted", shown(ready(proposal(NEW, NEW, Fit::Adopted)))),
        ("proposal_unchanged", shown(ready(proposal(OLD, OLD, Fit::Unchanged)))),
        ("proposal_outdated", shown(ready(proposal("# Mine\n", NEW, Fit::Outdated)))),
        ("proposal_loading", shown(page(Load::Loading(Moment(NOW.0 - 3_000))))),
        ("proposal_failed", shown(page(Load::Failed(unreadable())))),
        ("proposal_overfull", shown(ProposalPage { scroll: 900, ..ready(proposal("", &hostile(), Fit::Fits)) })),
    ]
}

/// A thousand long lines with what a terminal would obey in them.
fn hostile() -> String {
    (0..1_000).map(|n| format!("- **FR-{n:03}**: \u{1b}[31m\u{202e}{}\r\n", "wide 宽 ".repeat(60))).collect()
}

fn page(proposal: Load<Arc<Proposal>>) -> ProposalPage {
    ProposalPage { spec: spec_id(SPEC), proposal, scroll: 0, busy: false, rewritten: None }
}

fn shown(page: ProposalPage) -> Model {
    Model { views: vec![View::Home { cursor: 0 }, View::Proposal(page)], ..started() }
}

fn proposal(now: &str, text: &str, fit: Fit) -> Proposal {
    let path = |name: &str| format!("specs/{SPEC}/{name}");
    Proposal {
        spec: spec_id(SPEC),
        file: path("spec.md"),
        path: path("review/spec.md"),
        notes: Some(path("review/specify.md")),
        status: Status::AgreeWithDissent,
        is_advancing: true,
        verdict: Sha::of("verdict"),
        judged: Sha::of(OLD),
        before: Sha::of(now),
        after: Sha::of(text),
        fit,
        change: Change::between(now, text),
        text: text.into(),
    }
}

fn written(text: &str) -> Arc<Rewritten> {
    let file = format!("specs/{SPEC}/spec.md");
    let tree = Tree { files: [(file.clone(), FileText::text(text))].into(), ..Tree::default() };
    let held = Arc::new(hold_in(&tree, &spec_id(SPEC), &[Gate::Clarify].into(), &[]).unwrap());
    let change = Change::between(OLD, NEW);
    let backup = Some(format!(".dicast/backups/{SPEC}/0123456789ab-spec.md"));
    Arc::new(Rewritten { spec: spec_id(SPEC), file, deed: Deed::Adopted, by: "ana".into(), change, backup, held })
}
