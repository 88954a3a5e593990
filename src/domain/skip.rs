//! Stages that a person left out, each with a reason: what comes after them is bound to that.
//!
//! It must not know who runs what is left.

use std::collections::BTreeMap;

use super::consensus::Inputs;
use super::failure::Failure;
use super::hash::Sha;
use super::stage::Stage;

/// Stages that were left out, and why.
pub type Skipped = BTreeMap<Stage, String>;

/// What a stage that was left out stands under among the context that a verdict is bound to: no path begins with it.
const KEY: &str = "skipped ";

/// Longest reason, in characters: it stands in every later verdict, and a longer one belongs into the spec.
const REASON_MAX: usize = 200;

/// Reads `STAGE=REASON`.
///
/// # Errors
/// Usage, for a word that is no stage and for a reason that is empty, too long or more than a line.
pub fn skipped(given: &str) -> Result<(Stage, String), Failure> {
    let bad =
        |why: String| Failure::usage("--skip-stage", why, "say which and why: --skip-stage implement=\"done by hand\"");
    let (stage, reason) = given.split_once('=').ok_or_else(|| bad("a stage is left out for a reason".to_owned()))?;
    let stage: Stage = stage.trim().parse().map_err(|unknown: super::stage::UnknownStage| bad(unknown.to_string()))?;
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(bad(format!("{stage} has no reason")));
    }
    if reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
        return Err(bad(format!("the reason for {stage} is one line of at most {REASON_MAX} characters")));
    }
    Ok((stage, reason.to_owned()))
}

/// Returns the stages that were left out before `stage` as part of its context.
pub fn as_context(skipped: &Skipped, stage: Stage) -> impl Iterator<Item = (String, Sha)> {
    let before = skipped.iter().filter(move |(left_out, _)| **left_out < stage);
    before.map(|(left_out, reason)| (format!("{KEY}{left_out}: {reason}"), Sha::of(reason)))
}

/// Finds the stages whose absence a verdict is bound to.
pub fn of(inputs: &Inputs) -> Skipped {
    let named = |key: &String| {
        let (stage, reason) = key.strip_prefix(KEY)?.split_once(": ")?;
        Some((stage.parse().ok()?, reason.to_owned()))
    };
    inputs.context.keys().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_what_was_left_out_before_it_and_why() {
        let left_out = Skipped::from([skipped("implement = by hand: today").unwrap(), skipped("unlock=x").unwrap()]);
        let mut inputs = Inputs::default();
        inputs.context.insert("AGENTS.md".into(), Sha::of("x"));
        assert_eq!(of(&inputs), Skipped::new());
        inputs.context.extend(as_context(&left_out, Stage::Audit));
        assert_eq!(of(&inputs), Skipped::from([(Stage::Implement, "by hand: today".to_owned())]));
    }

    #[test]
    fn nothing_is_left_out_without_a_reason() {
        for given in
            ["implement", "implement=", "implement= ", "build=x", "plan=a\nb", &format!("plan={}", "x".repeat(201))]
        {
            assert_eq!(skipped(given).unwrap_err().exit(), 64, "{given}");
        }
    }
}
