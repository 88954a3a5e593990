//! Faults of the demonstration: agents that hang, flood or die and a memory server that does not answer, drawn by a seed;
//! and how each of them must end.
//!
//! It must not know how a program is started or ended.

use super::bench::chance::Chance;

/// Something that goes wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Who does it: an agent of this name, or the memory server.
    pub name: &'static str,
    /// What it does, in words.
    pub does: &'static str,
    /// The same as a shell script.
    pub script: &'static str,
    /// The name of the error that it must end with.
    pub must: &'static str,
}

/// The name of the memory server.
pub const MEMORY: &str = "memory";

/// Agents that stop answering.
const HANGS: [Fault; 2] = [
    fault("hangs", "says nothing and takes no notice of TERM", "trap '' TERM; sleep 600 & wait; sleep 600", "timeout"),
    fault("hangs", "stops in the middle of a line", "printf 'reading the sp'; exec sleep 600", "timeout"),
];

/// Agents that do not stop writing.
const FLOODS: [Fault; 2] = [
    fault("floods", "writes lines without end", "exec yes flooding", "timeout"),
    fault("floods", "writes one line without end", "while :; do printf flooding; done", "timeout"),
];

/// Agents that die.
const DEATHS: [Fault; 3] = [
    fault("dies", "is killed while it works", "echo reading; kill -KILL $$", "crashed"),
    fault("dies", "ends with an error", "echo out of luck >&2; exit 70", "crashed"),
    fault(
        "dies",
        "leaves half an answer",
        "printf '{\"schema\":\"dicast.artifact/1\",\"stage\":'; exit 0",
        "no_artifact",
    ),
];

/// Memory servers that are none.
const FORGETFUL: [Fault; 2] = [
    fault(MEMORY, "never answers", "exec sleep 600", "waits"),
    fault(MEMORY, "ends as soon as it is started", "exit 1", "waits"),
];

const fn fault(name: &'static str, does: &'static str, script: &'static str, must: &'static str) -> Fault {
    Fault { name, does, script, must }
}

/// What goes wrong in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chaos {
    /// The agents that do it, by name.
    pub agents: [Fault; 3],
    /// What the memory server does.
    pub memory: Fault,
}

impl Chaos {
    /// Draws what goes wrong: the same for the same seed.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed, 0);
        let mut draw =
            |from: &[Fault], otherwise: Fault| from.get(chance.below(from.len())).copied().unwrap_or(otherwise);
        let agents = [draw(&DEATHS, DEATHS[0]), draw(&FLOODS, FLOODS[0]), draw(&HANGS, HANGS[0])];
        Self { agents, memory: draw(&FORGETFUL, FORGETFUL[0]) }
    }

    /// Writes it as what is added to a config. Deadlines are short, so that it is over soon; nobody is asked twice for
    /// one answer.
    pub fn config(&self) -> String {
        let agent = |fault: &Fault| {
            let Fault { name, script, .. } = fault;
            format!(
                "\n[[agents]]\nname = \"{name}\"\nfamily = \"{name}\"\nkind = \"command\"\n\
                 command = [\"/bin/sh\", \"-c\", '''{script}''']\nenv_pass = [\"PATH\"]\nretry = {{ max = 0 }}\n\
                 timeouts = {{ start_s = 2, first_event_s = 2, idle_s = 2, total_s = 3, kill_grace_s = 1 }}\n"
            )
        };
        let memory = format!(
            "\n[mcp_servers.{MEMORY}]\ncommand = \"/bin/sh\"\nargs = [\"-c\", '''{}''']\nstartup_timeout_sec = 1\n\
             tool_timeout_sec = 1\n\n[memory]\nserver = \"{MEMORY}\"\n",
            self.memory.script
        );
        self.agents.iter().map(agent).collect::<String>() + &memory
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_draws_the_same_faults_and_the_seeds_draw_all_of_them() {
        assert_eq!(Chaos::of(7), Chaos::of(7));
        let drawn: Vec<Chaos> = (0..200).map(Chaos::of).collect();
        let faults = drawn.iter().flat_map(|chaos| chaos.agents.iter().chain([&chaos.memory]));
        let does: BTreeSet<(&str, &str)> = faults.map(|fault| (fault.name, fault.does)).collect();
        assert_eq!(does.len(), HANGS.len() + FLOODS.len() + DEATHS.len() + FORGETFUL.len());
    }

    #[test]
    fn no_script_ends_the_text_that_it_stands_in() {
        let all = HANGS.iter().chain(&FLOODS).chain(&DEATHS).chain(&FORGETFUL);
        assert!(all.clone().all(|fault| !fault.script.contains("'''") && !fault.script.ends_with('\'')));
        assert!(all.filter(|fault| fault.name != MEMORY).all(|fault| fault.must != "waits"));
    }
}
