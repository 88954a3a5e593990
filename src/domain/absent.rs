//! Agents that a person left out of a run: they count as not asked, and every verdict that comes of it says so.
//!
//! It must not know who is asked instead.

use std::collections::BTreeSet;

use super::consensus::Inputs;
use super::failure::Failure;
use super::hash::Sha;
use super::ids::AgentName;
use super::settings::Agent;

/// The agents that were left out of a run.
pub type Without = BTreeSet<AgentName>;

/// What an agent that was left out stands under among the context that a verdict is bound to: no path begins with it.
const KEY: &str = "not asked ";

/// Names an agent and its family: `gemini (google)`.
pub fn named(agent: &Agent) -> String {
    format!("{} ({})", agent.name, agent.family)
}

/// Returns agents that were left out, as they are [`named`], as part of a stage's context.
pub fn as_context(named: &[String]) -> impl Iterator<Item = (String, Sha)> {
    named.iter().map(|who| (format!("{KEY}{who}"), Sha::of(who)))
}

/// Tells whether something among the context says that somebody was left out: nobody is shown it.
pub fn is_one(context: &str) -> bool {
    context.starts_with(KEY)
}

/// Finds the agents whose absence a verdict is bound to, each with its family.
pub fn of(inputs: &Inputs) -> Vec<String> {
    inputs.context.keys().filter_map(|key| key.strip_prefix(KEY)).map(str::to_owned).collect()
}

/// Reads the names of agents that are left out.
///
/// # Errors
/// Usage, for what cannot be an agent's name.
pub fn without(given: &[String]) -> Result<Without, Failure> {
    let name = |word: &String| {
        AgentName::new(word.trim()).map_err(|bad| Failure::usage("--without", bad.to_string(), "give an agent's name"))
    };
    given.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_who_was_not_asked() {
        let mut inputs = Inputs::default();
        inputs.context.insert("AGENTS.md".into(), Sha::of("x"));
        assert_eq!(of(&inputs), Vec::<String>::new());
        inputs.context.extend(as_context(&["gemini (google)".to_owned()]));
        assert_eq!(of(&inputs), ["gemini (google)"]);
        assert!(inputs.context.keys().any(|key| is_one(key)) && !is_one("AGENTS.md"));
    }

    #[test]
    fn who_is_left_out_is_an_agent() {
        assert_eq!(without(&["b".into(), "a".into(), "b".into()]).unwrap().len(), 2);
        assert_eq!(without(&["a b".into()]).unwrap_err().exit(), 64);
    }
}
