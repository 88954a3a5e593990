//! `dicast consensus`: gathers the answers of a recorded panel, decides again and compares with the record.

use super::super::args::About;
use super::super::out::Done;
use super::record::Gone;
use super::{Context, place, record};
use crate::domain::consensus::decide;
use crate::domain::failure::Failure;

/// Gathers and decides again. An agent whose artifact is gone from the evidence and from memory is missing. The exit code
/// is the verdict's if all three hashes are the same (in the spec's folder, in the evidence, computed now), else 3.
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
        let told = |in_memory: bool| -> Vec<serde_json::Value> {
            let those = gone.iter().filter(|gone| gone.in_memory == in_memory);
            those.map(|gone| serde_json::json!({"agent": gone.agent, "path": gone.path})).collect()
        };
        let value = serde_json::json!({
            "schema": "dicast.consensus/1", "spec_id": folder.id, "stage": stage, "run": of_run.run, "same": same,
            "status": again.status, "exit": exit,
            "missing": told(false), "from_memory": told(true),
            "hashes": {"recorded": recorded.hash, "evidence": of_run.hash, "computed": again.hash},
        });
        return record::heed_dissent(context, &folder, stage, Done::value(&value).with_exit(exit));
    }
    let mut text =
        format!("{stage} of {}: {} (exit {})\n  why  {}\n", folder.id, again.status.name(), again.exit, again.why());
    for Gone { agent, path, in_memory } in &gone {
        let (word, also) = if *in_memory { ("memory ", ", memory has it") } else { ("missing", "") };
        text.push_str(&format!("{word} {agent}: {path} is gone from the evidence of run {}{also}\n", of_run.run));
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
    record::heed_dissent(context, &folder, stage, Done::lines(text).with_exit(exit))
}
