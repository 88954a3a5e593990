//! Our own program as a child: what a command does and the screen only asks for.
//!
//! It must not know how a command works.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::hands::Places;
use crate::actors::Scope;
use crate::actors::agents::process::{Children, Cut, Program, Tag, converse};
use crate::actors::evidence::GITIGNORE;
use crate::disk::Store;
use crate::domain::classify::Exit;
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::preset::PASSED;
use crate::domain::run::Limits;

/// Where reports that the screen asked for go: what lies there is nobody's but the user's, and git does not see it.
const REPORTS: &str = ".dicast/reports";

/// What keeps our folder out of commits.
const IGNORED: &str = ".dicast/.gitignore";

/// How long a report may take, in milliseconds: it reads files, perhaps slow ones.
const PATIENCE_MS: u64 = 60_000;

/// Most bytes of output that are looked at: a sentence.
const OUTPUT_MAX: u64 = 16 << 10;

/// Exit codes that come with a written report: whole, and without a verdict that cannot be read.
const WRITTEN: [u8; 2] = [0, 3];

/// Writes the report of a spec as a page; returns what there is to say.
///
/// # Errors
/// What the command says where it wrote none.
pub(super) async fn report(
    (scope, children): (Scope, Children),
    places: Places,
    spec: SpecId,
    stop: CancellationToken,
) -> Result<String, Failure> {
    let page = format!("{REPORTS}/{spec}.html");
    let repo = places.repo.clone();
    let store = Store::real(&repo);
    let made = scope.spawn_blocking(move || folder(&store)).await;
    made.map_err(|_| Failure::ActorGone { actor: "the report".into() })??;
    let words = ["report", spec.as_str(), "--out"].map(str::to_owned);
    let mut command = vec![places.program.to_string_lossy().into_owned(), "--repo".into(), repo.display().to_string()];
    if let Some(config) = &places.config {
        command.extend(["--config".to_owned(), config.display().to_string()]);
    }
    command.extend(words);
    command.push(repo.join(&page).display().to_string());
    let asked = Program {
        command,
        env: BTreeMap::from([("NO_COLOR".to_owned(), "1".to_owned())]),
        env_pass: PASSED.iter().copied().chain(["XDG_*", "DICAST_*"]).map(str::to_owned).collect(),
        cwd: repo.clone(),
        tag: Tag { run: "report".into(), seat: spec.to_string() },
    };
    let refused = |why: String| Failure::BadInput {
        place: format!("report of {spec}"),
        why,
        next: format!("run `dicast report {spec}` to see all of it"),
        exit: 3,
    };
    let child = children.start(&asked).map_err(|refusal| refused(refusal.to_string()))?;
    let limits = Limits {
        start_ms: PATIENCE_MS,
        first_event_ms: PATIENCE_MS,
        idle_ms: PATIENCE_MS,
        total_ms: PATIENCE_MS,
        kill_grace_ms: 0,
        stdout_max: OUTPUT_MAX,
        stderr_max: OUTPUT_MAX,
    };
    let spoken = converse(child, Arc::from(""), &limits, &stop, &stop, &mut ()).await;
    match (spoken.cut, spoken.ended.exit) {
        (Some(Cut::Stopped), _) => Err(Failure::Cancelled),
        (Some(Cut::Late { .. }), _) => Err(Failure::Timeout { what: "the report".into(), after_ms: PATIENCE_MS }),
        (None, Some(Exit::Code(0))) => Ok(format!("wrote {page}: open it in a browser")),
        (None, Some(Exit::Code(code))) if u8::try_from(code).is_ok_and(|code| WRITTEN.contains(&code)) => {
            Ok(format!("wrote {page}; a verdict in it cannot be read"))
        }
        (None, _) => {
            let said = spoken.stderr.text();
            let line = said.lines().find(|line| line.starts_with("error: ")).or(said.lines().next());
            Err(refused(line.unwrap_or("it said nothing").trim_start_matches("error: ").to_owned()))
        }
    }
}

/// Makes the folder of reports, in ours, with what keeps that out of commits.
fn folder(store: &Store) -> Result<(), Failure> {
    store.make_dirs(REPORTS)?;
    if store.size(IGNORED)?.is_none() {
        store.replace(IGNORED, GITIGNORE.as_bytes())?;
    }
    Ok(())
}
