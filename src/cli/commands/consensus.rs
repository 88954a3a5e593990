//! `dicast consensus`: gathers the answers of a recorded panel, decides again and compares with the record.

use super::super::args::About;
use super::super::out::Done;
use super::{Context, place, record};
use crate::domain::consensus::decide;
use crate::domain::failure::Failure;

/// Gathers and decides again. An agent whose artifact is gone from the evidence is missing. The exit code is the
/// verdict's if all three hashes are the same (in the spec's folder, in the evidence, computed now), else 3.
///
/// # Errors
/// Exit 10 when nothing is recorded; exit 3 when the evidence was altered.
pub(super) fn consensus(context: &Context, about: &About) -> Result<Done, Failure> {
    let (folder, stage) = place::spec_and_stage(context, &about.spec, about.stage.as_deref())?;
    let recorded = record::recorded(&context.store(), &folder, stage)?;
    let mut of_run = record::panel(context, &folder, stage)?;
    let gone = record::gather(context, &folder, &mut of_run)?;
    let again = decide(&of_run.panel);
    let same = again.hash == recorded.hash && again.hash == of_run.hash;
    let exit = if same { again.exit } else { 3 };
    if context.global.json {
        let value = serde_json::json!({
            "schema": "dicast.consensus/1", "spec_id": folder.id, "stage": stage, "run": of_run.run, "same": same,
            "status": again.status, "exit": exit,
            "missing": gone.iter().map(|(agent, path)| serde_json::json!({"agent": agent, "path": path})).collect::<Vec<_>>(),
            "hashes": {"recorded": recorded.hash, "evidence": of_run.hash, "computed": again.hash},
        });
        return Ok(Done::value(&value).with_exit(exit));
    }
    let mut text =
        format!("{stage} of {}: {} (exit {})\n  why  {}\n", folder.id, again.status.name(), again.exit, again.why());
    for (agent, path) in &gone {
        text.push_str(&format!("missing {agent}: {path} is gone from the evidence of run {}\n", of_run.run));
    }
    if same {
        text.push_str(&format!(
            "same   {} in {}, in run {} and computed now\n",
            again.hash,
            record::verdict_path(&folder, stage),
            of_run.run
        ));
    } else {
        text.push_str(&format!(
            "NOT THE SAME\n  recorded  {}  {}\n  evidence  {}  run {}\n  computed  {}\n",
            recorded.hash,
            record::verdict_path(&folder, stage),
            of_run.hash,
            of_run.run,
            again.hash
        ));
    }
    Ok(Done::lines(text).with_exit(exit))
}
