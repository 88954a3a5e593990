//! What can stand on the command line: names that scripts rely on (`docs/cli.md`).
//!
//! It must not know what a command does.

use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand};

use crate::domain::wish::Wish;

/// A jury for coding agents.
#[derive(Debug, Clone, Parser)]
#[command(name = "dicast", version, about, disable_help_subcommand = true, infer_subcommands = false)]
pub struct Args {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; none opens the screen.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What holds for every command.
#[derive(Debug, Clone, Default, Group)]
pub struct Global {
    /// The repository [default: the enclosing git repository, else this folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// A config to use instead of the project's; given by hand, so trusted.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Results as JSON lines on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// Lines instead of the screen.
    #[arg(long, global = true)]
    pub plain: bool,
    /// Writes a report besides: junit, sarif or md, and a file (- is stdout). Can be repeated.
    #[arg(long, global = true, num_args = 2, value_names = ["FORMAT", "FILE"], action = clap::ArgAction::Append)]
    pub output: Vec<String>,
    /// How much goes to the log file.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info",
          value_parser = ["off", "error", "warn", "info", "debug", "trace"])]
    pub log_level: String,
    /// Which run, where a command can mean several.
    #[arg(long, global = true, value_name = "ULID")]
    pub run: Option<String>,
    /// Approves exactly this config for this call (for CI).
    #[arg(long, global = true, value_name = "HASH")]
    pub yes_trust: Vec<String>,
    /// Exits 0 although an agent is missing.
    #[arg(long, global = true)]
    pub allow_degraded: bool,
    /// Exits 0 although nothing was checked.
    #[arg(long, global = true)]
    pub allow_hollow: bool,
    /// Exits 1 instead of 0 while a dissent is open; only commands that exit with a verdict's code take it.
    #[arg(long, global = true)]
    pub fail_on_dissent: bool,
    /// Does without the question: before a run that costs something (asked only on the screen), before a purge.
    #[arg(long, global = true)]
    pub yes: bool,
    /// Does not go on with a stopped run.
    #[arg(long, global = true)]
    pub fresh: bool,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Holds specs against the code, by rules: no agent, no key, nothing written.
    Check {
        /// Only this spec.
        spec: Option<String>,
        /// Also look for changes in these commits that no task asked for.
        #[arg(long, value_name = "A..B")]
        range: Option<String>,
    },
    /// Makes the folder of a new spec from a sentence.
    New {
        /// What is wanted, in a sentence; with --from the title.
        #[arg(required_unless_present = "from")]
        text: Vec<String>,
        /// A document that is taken as the spec as it stands, such as the body of a pull request; - is stdin.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Asks the panel what a spec should say, or say otherwise: a proposal, which --apply writes.
    Specify(Specify),
    /// Asks what the words of a spec leave open, by rules.
    Clarify {
        /// The spec; may be left out on a branch that names it.
        spec: Option<String>,
        /// Answers a question: the number or words of a choice, or own words. Can be repeated.
        #[arg(long, value_name = "ID=TEXT")]
        answer: Vec<String>,
        /// Who answers [default: the user's name].
        #[arg(long, value_name = "WHO", requires = "answer")]
        by: Option<String>,
    },
    /// Scores how complete a spec is, and asks what is missing, by rules.
    Checklist {
        /// The spec; may be left out on a branch that names it.
        spec: Option<String>,
    },
    /// Asks where the documents of a spec do not fit together, by rules.
    Analyze {
        /// The spec; may be left out on a branch that names it.
        spec: Option<String>,
    },
    /// Lists what all gates ask about a spec, or answers one question.
    Gate(Gate),
    /// Runs the guardrails of a stage alone.
    Guardrail {
        /// The stage.
        stage: String,
        /// The spec; may be left out on a branch that names it.
        spec: Option<String>,
    },
    /// Asks the panel how a spec will be met.
    Plan(Stage),
    /// Asks the panel for the plan as a list of tasks.
    Tasks(Stage),
    /// Asks the panel for the change itself.
    Implement {
        /// Which spec, and how.
        #[command(flatten)]
        stage: Stage,
        /// Puts the best candidate, or that of an agent, on the branch dicast/SPEC.
        #[arg(long, value_name = "best|CANDIDATE")]
        apply: Option<String>,
        /// Takes in what no task asked for: it is tested again first.
        #[arg(long, requires = "apply")]
        with_unasked: bool,
        /// Takes back what landed last, unless something was changed since.
        #[arg(long, conflicts_with_all = ["apply", "rerun_missing"])]
        undo: bool,
    },
    /// Asks the panel whether the tests show what the spec asks.
    Validate(Stage),
    /// Asks the panel whether the change is fit to be let through.
    Audit {
        /// Which spec, and how.
        #[command(flatten)]
        stage: Stage,
        /// Judges the change between these commits, also one that was made elsewhere.
        #[arg(long, value_name = "A..B")]
        range: Option<String>,
    },
    /// Asks the panel to let it through.
    Unlock(Stage),
    /// Runs the stages that specs have not passed.
    Auto(Auto),
    /// Shows what is recorded for each spec.
    Status {
        /// Only this spec.
        spec: Option<String>,
        /// Marks verdicts that are older.
        #[arg(long, value_name = "N")]
        stale_hours: Option<u64>,
    },
    /// Shows a recorded verdict and exits with its code.
    Verdict {
        /// What it is about.
        #[command(flatten)]
        about: About,
        /// Holds the tree of this commit against it, not the working copy.
        #[arg(long, value_name = "REV")]
        at: Option<String>,
        /// Exits 1 unless its status is one of these (agree,agree_with_dissent,…).
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        require: Vec<String>,
    },
    /// Writes what was decided at each stage, why, by whom, with what evidence, and what dissent stands.
    Report {
        /// The spec; may be left out on a branch that names it.
        spec: Option<String>,
        /// How it is written [default: md where FILE ends so, else html].
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// Where to [default: stdout].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Shows the arithmetic of one claim.
    Explain {
        /// The spec; may be left out on a branch that names it.
        spec: String,
        /// The stage.
        stage: String,
        /// The claim: a key, its start, "kind subject", or a subject.
        claim: Option<String>,
    },
    /// Lists losing assertions, or decides about one.
    Dissent(Dissent),
    /// Decides the recorded panel again and compares with the record.
    Consensus(About),
    /// Decides a panel from a file; nothing else is read or written.
    Decide {
        /// The panel.
        #[arg(value_name = "PANEL.json")]
        panel: PathBuf,
        /// Shows the arithmetic of one claim instead.
        #[arg(long, value_name = "KEY")]
        explain: Option<String>,
    },
    /// Looks after the record of runs.
    #[command(subcommand)]
    Evidence(Evidence),
    /// Measures verdicts against cases whose truth is known.
    #[command(subcommand)]
    Bench(Bench),
    /// Lists the panel.
    Agents,
    /// Starts the MCP servers, lists their states and ends them.
    Servers,
    /// Says what was found, what is missing and what to do.
    Doctor,
    /// Writes a commented config and approves it.
    Init,
    /// Lists, gives or takes back the approval of what the project's config runs.
    #[command(subcommand)]
    Trust(Trust),
    /// Asks a live run to stop.
    Cancel {
        /// A run, or a spec; may be left out if only one is live.
        #[arg(value_name = "RUN|SPEC")]
        what: Option<String>,
    },
    /// Shows what each agent did at each stage, over every run that is kept.
    Stats {
        /// Only this spec's runs.
        spec: Option<String>,
    },
    /// Shows the end of our own log.
    Log {
        /// How many lines.
        #[arg(long, value_name = "N", default_value_t = super::commands::log::LINES)]
        lines: usize,
        /// Goes on with what is added, until it is stopped.
        #[arg(long)]
        follow: bool,
    },
    /// Shows that this program works on this machine: no network, no config, nothing written that stays.
    SelfCheck,
    /// Follows a run that another process owns, without touching it, and exits as it does.
    Watch {
        /// Whose run; may be left out if only one is live.
        spec: Option<String>,
    },
    /// Tells a run again from its evidence, at the pace at which it happened: nothing is asked, started or written.
    Replay {
        /// Which run, as `dicast evidence list` names it.
        run: String,
        /// How fast: 1 is its own pace, 2 twice as fast, 0 at once.
        #[arg(long, default_value_t = 1)]
        speed: u32,
    },
    /// Shows the whole thing on a sample project with scripted agents.
    Demo {
        /// How fast the agents play: 1 is their own pace, 0 at once.
        #[arg(long, default_value_t = 1)]
        speed: u32,
        /// Switches faults on, and shows that each ends as it must: in lines, exit 0 or 3.
        #[arg(long)]
        chaos: bool,
        /// Which faults: the same seed has the same.
        #[arg(long, value_name = "N", default_value_t = 1, requires = "chaos")]
        seed: u64,
    },
    /// The memory server that comes with the program.
    #[command(subcommand)]
    Memory(Memory),
    /// This program for MCP clients: its commands as tools, verdicts and evidence as resources.
    #[command(subcommand)]
    Mcp(Mcp),
    /// Plays a scripted agent.
    #[command(hide = true)]
    Play {
        /// The script.
        script: PathBuf,
        /// Whose part.
        #[arg(long)]
        agent: Option<String>,
        /// How fast; 0 is at once.
        #[arg(long, default_value_t = 1)]
        speed: u32,
    },
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One page that needs nothing besides.
    Html,
    /// GitHub-flavoured Markdown.
    Md,
}

/// What is said about a question of a gate.
#[derive(Debug, Clone, Group)]
#[group(skip)]
pub struct Gate {
    /// The spec; may be left out on a branch that names it.
    pub spec: Option<String>,
    /// Lists the questions; so does nothing at all.
    #[arg(long, group = "saying")]
    pub list: bool,
    /// Takes the first answer that is suggested.
    #[arg(long, value_name = "ID", group = "saying")]
    pub accept: Option<String>,
    /// Goes on without an answer.
    #[arg(long, value_name = "ID", group = "saying", requires = "reason")]
    pub defer: Option<String>,
    /// Takes back what was said last about a question, or about any.
    #[arg(long, value_name = "ID", group = "saying", num_args = 0..=1, default_missing_value = "")]
    pub undo: Option<String>,
    /// Why it can wait.
    #[arg(long, value_name = "T")]
    pub reason: Option<String>,
    /// Who says so [default: the user's name].
    #[arg(long, value_name = "WHO", requires = "saying")]
    pub by: Option<String>,
}

/// One spec, and how to go about it.
#[derive(Debug, Clone, Group)]
pub struct Stage {
    /// The spec; may be left out on a branch that names it.
    pub spec: Option<String>,
    /// Leaves an agent out of this run: it counts as not asked, and the verdict says so. Can be repeated.
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// Asks only those that did not answer last time.
    #[arg(long)]
    pub rerun_missing: bool,
    /// Does not ask the panel what stands open, whatever the config says.
    #[arg(long)]
    pub no_round: bool,
}

/// One spec, and what it should be drafted or revised for.
#[derive(Debug, Clone, Group)]
pub struct Specify {
    /// Which spec, and how.
    #[command(flatten)]
    pub stage: Stage,
    /// What is wanted, in your words [default: what the spec says already].
    pub text: Vec<String>,
    /// Writes what is proposed into the spec: the proposal on record if it fits the spec as it stands, else what the
    /// panel proposes now, if its verdict lets that through.
    #[arg(long)]
    pub apply: bool,
    /// Takes back what was written last, unless something was changed since.
    #[arg(long, conflicts_with_all = ["apply", "without", "rerun_missing", "no_round", "text"])]
    pub undo: bool,
}

/// Several specs, and which of their stages.
#[derive(Debug, Clone, Group)]
pub struct Auto {
    /// The specs; may be left out on a branch that names one.
    pub specs: Vec<String>,
    /// Begins here, also where that was passed before.
    #[arg(long, value_name = "STAGE", conflicts_with = "stages")]
    pub from: Option<String>,
    /// Exactly these stages (plan,tasks,…), also where they were passed before.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub stages: Vec<String>,
    /// Leaves a stage out; the reason is recorded, and every later verdict is bound to it. Can be repeated.
    #[arg(long, value_name = "STAGE=REASON")]
    pub skip_stage: Vec<String>,
    /// Puts the best candidate of implement, or that of an agent, into the working copy, where the stages behind it look.
    #[arg(long, value_name = "best|CANDIDATE")]
    pub apply: Option<String>,
    /// Takes in what no task asked for: it is tested again first.
    #[arg(long, requires = "apply")]
    pub with_unasked: bool,
    /// How many specs are run at the same time, within the limits of the agents' families.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub jobs: u8,
    /// Leaves an agent out of this run: it counts as not asked, and the verdict says so. Can be repeated.
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// Asks only those that did not answer last time.
    #[arg(long)]
    pub rerun_missing: bool,
    /// Does not ask the panel what stands open, whatever the config says.
    #[arg(long)]
    pub no_round: bool,
}

impl Stage {
    /// Returns what is asked for, as it may also be typed on the screen.
    pub fn wish(&self) -> Wish {
        let (rerun_missing, no_round, without) = (self.rerun_missing, self.no_round, self.without.clone());
        Wish { rerun_missing, no_round, without, ..Wish::default() }
    }
}

impl Auto {
    /// Returns what is asked for, as it may also be typed on the screen.
    pub fn wish(&self) -> Wish {
        Wish {
            from: self.from.clone(),
            stages: self.stages.clone(),
            skip_stage: self.skip_stage.clone(),
            apply: self.apply.clone(),
            with_unasked: self.with_unasked,
            without: self.without.clone(),
            rerun_missing: self.rerun_missing,
            no_round: self.no_round,
            ..Wish::default()
        }
    }
}

/// A spec and a stage; with one word, the stage of the branch's spec.
#[derive(Debug, Clone, Group)]
pub struct About {
    /// The spec; may be left out on a branch that names it.
    pub spec: String,
    /// The stage.
    pub stage: Option<String>,
}

/// Which dissent, and what is decided about it.
#[derive(Debug, Clone, Default, Group)]
#[group(skip)]
pub struct Dissent {
    /// The spec; may be left out on a branch that names it.
    pub spec: Option<String>,
    /// Accepts a condition.
    #[arg(long, value_name = "KEY", requires_all = ["by", "reason"], group = "deciding")]
    pub accept: Option<String>,
    /// Lets the stage go on although the objection stands.
    #[arg(long, value_name = "KEY", requires_all = ["by", "reason"], group = "deciding")]
    pub waive: Option<String>,
    /// Upholds the objection: the stage is rejected.
    #[arg(long, value_name = "KEY", requires_all = ["by", "reason"], group = "deciding")]
    pub reject: Option<String>,
    /// Splits off a text that was merged with others and is not the same.
    #[arg(long, value_name = "KEY", requires_all = ["by", "reason"], group = "deciding")]
    pub split: Option<String>,
    /// Takes the last decision about a claim back.
    #[arg(long, value_name = "KEY", requires_all = ["by", "reason"], group = "deciding")]
    pub undo: Option<String>,
    /// At which stage [default: the one where it is open].
    #[arg(long, value_name = "STAGE", requires = "deciding")]
    pub stage: Option<String>,
    /// Who decides.
    #[arg(long, value_name = "WHO", requires = "deciding")]
    pub by: Option<String>,
    /// Why.
    #[arg(long, value_name = "T", requires = "deciding")]
    pub reason: Option<String>,
}

/// What to do with the evidence.
#[derive(Debug, Clone, Subcommand)]
pub enum Evidence {
    /// Compares what stands on disk with what was recorded.
    Verify {
        /// Only this spec's.
        spec: Option<String>,
        /// A file that `evidence bundle` wrote, instead of what is here.
        #[arg(long, value_name = "FILE", conflicts_with = "spec")]
        bundle: Option<PathBuf>,
    },
    /// Lists the runs, newest first.
    List {
        /// Only this spec's.
        spec: Option<String>,
    },
    /// Counts runs, files and bytes, by spec, stage and kind.
    Stats {
        /// Only this spec's.
        spec: Option<String>,
    },
    /// Packs closed runs into one file each and removes their folders; the file was read back before.
    Archive(Old),
    /// Removes closed runs or their archives for good; what they were stays known by its hashes.
    Purge(Old),
    /// Writes one file with all that `evidence verify --bundle` needs of a run.
    Bundle {
        /// The run.
        #[arg(value_name = "RUN")]
        which: Option<String>,
        /// Where to [default: dicast-RUN.tar.gz here].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Writes where the chains end into a git note (refs/notes/dicast), so that `verify` misses a lost end.
    Anchor {
        /// Only this spec's.
        spec: Option<String>,
    },
}

/// Which closed runs: the one that --run names, or old ones.
#[derive(Debug, Clone, Group)]
pub struct Old {
    /// Only this spec's.
    pub spec: Option<String>,
    /// Those whose last record is older than this, unless the verdict that they decided still stands.
    #[arg(long, value_name = "DAYS")]
    pub older_than: Option<u64>,
}

/// What to do about approvals.
#[derive(Debug, Clone, Subcommand)]
pub enum Trust {
    /// Shows what the project would run or reach, and what was approved.
    List,
    /// Approves what the project would run now.
    Approve {
        /// Only if it is exactly this.
        hash: Option<String>,
        /// Instead: a server that another program is configured with, as `dicast trust list` shows it.
        #[arg(long, value_name = "NAME", conflicts_with = "hash")]
        server: Option<String>,
    },
    /// Takes every approval of this repository back.
    Revoke,
}

/// What to measure.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// How often the panel is right, lets something false through, stops what is fit, and asks nobody.
    Consensus {
        /// Draws other cases.
        #[arg(long, value_name = "N", default_value_t = crate::domain::bench::table::SEED)]
        seed: u64,
        /// Times how long a decision takes instead.
        #[arg(long, conflicts_with = "seed")]
        speed: bool,
    },
    /// How much of what is wrong `check` finds, and how often it cries wolf.
    Check,
}

/// What to do with the memory.
#[derive(Debug, Clone, Subcommand)]
pub enum Memory {
    /// Serves it over stdin and stdout.
    Serve {
        /// The SQLite file [default: .dicast/memory.db].
        #[arg(long, value_name = "FILE")]
        db: Option<PathBuf>,
        /// Lets whoever is served look things up, and change nothing.
        #[arg(long)]
        read_only: bool,
        /// Waits before it starts (the demonstration shows a slow one).
        #[arg(long, hide = true, default_value_t = 0)]
        start_delay_ms: u64,
    },
    /// Says which memory is used, and how many copies wait for it.
    Status,
    /// Copies to memory what waits for it.
    Drain,
}

/// What to do for MCP clients.
#[derive(Debug, Clone, Subcommand)]
pub enum Mcp {
    /// Serves over stdin and stdout, or over HTTP.
    Serve(Serving),
}

/// How MCP clients come in.
#[derive(Debug, Clone, Default, Group)]
pub struct Serving {
    /// Listens here (127.0.0.1:8000) for streamable HTTP instead; beyond this machine only with a token.
    #[arg(long, value_name = "ADDR")]
    pub http: Option<std::net::SocketAddr>,
    /// The variable that holds the token which clients must send as bearer.
    #[arg(long, value_name = "VAR", default_value = "DICAST_MCP_TOKEN", requires = "http")]
    pub token_env: String,
    /// A name of this machine that clients may use as Host, besides localhost and the address. Can be repeated.
    #[arg(long, value_name = "NAME", requires = "http")]
    pub host: Vec<String>,
}

impl Command {
    /// Tells whether `--fail-on-dissent` means something to the command; the others refuse it.
    pub fn looks_at_dissent(&self) -> bool {
        match self {
            Command::Specify(_)
            | Command::Plan(_)
            | Command::Tasks(_)
            | Command::Implement { .. }
            | Command::Validate(_)
            | Command::Audit { .. }
            | Command::Unlock(_)
            | Command::Auto(_)
            | Command::Verdict { .. }
            | Command::Dissent(_)
            | Command::Consensus(_) => true,
            Command::Decide { explain, .. } => explain.is_none(),
            Command::Check { .. }
            | Command::New { .. }
            | Command::Clarify { .. }
            | Command::Checklist { .. }
            | Command::Analyze { .. }
            | Command::Gate(_)
            | Command::Guardrail { .. }
            | Command::Status { .. }
            | Command::Explain { .. }
            | Command::Report { .. }
            | Command::Evidence(_)
            | Command::Bench(_)
            | Command::Agents
            | Command::Servers
            | Command::Doctor
            | Command::Init
            | Command::Trust(_)
            | Command::Cancel { .. }
            | Command::Demo { .. }
            | Command::Stats { .. }
            | Command::Log { .. }
            | Command::SelfCheck
            | Command::Memory(_)
            | Command::Watch { .. }
            | Command::Replay { .. }
            | Command::Mcp(_)
            | Command::Play { .. } => false,
        }
    }

    /// Tells whether `--output` means something to the command; the others refuse it.
    pub fn writes_reports(&self) -> bool {
        let is_run = |command: &Command| command.looks_at_dissent() && !matches!(command, Command::Decide { .. });
        matches!(self, Command::Check { .. } | Command::Verdict { .. })
            || (is_run(self) && !matches!(self, Command::Dissent(_) | Command::Consensus(_)))
    }

    /// Returns what the command is for, to fit "could not …".
    pub fn aim(&self) -> &'static str {
        match self {
            Command::Check { .. } => "check",
            Command::New { .. } => "make a spec",
            Command::Specify(Specify { undo: true, .. }) => "take the proposal back",
            Command::Specify(_) => "specify",
            Command::Clarify { answer, .. } if !answer.is_empty() => "answer",
            Command::Clarify { .. } => "clarify",
            Command::Checklist { .. } => "hold the checklist",
            Command::Analyze { .. } => "analyze",
            Command::Gate(_) => "hold the gates",
            Command::Guardrail { .. } => "run the guardrails",
            Command::Plan(_) => "plan",
            Command::Tasks(_) => "write tasks",
            Command::Implement { .. } => "implement",
            Command::Validate(_) => "validate",
            Command::Audit { .. } => "audit",
            Command::Unlock(_) => "unlock",
            Command::Auto(_) => "run the stages",
            Command::Status { .. } => "show the status",
            Command::Verdict { .. } => "show the verdict",
            Command::Explain { .. } => "explain the claim",
            Command::Report { .. } => "write the report",
            Command::Dissent(Dissent { by: None, .. }) => "list dissent",
            Command::Dissent(_) => "record the decision",
            Command::Consensus(_) => "decide again",
            Command::Decide { .. } => "decide the panel",
            Command::Evidence(Evidence::Verify { .. }) => "verify the evidence",
            Command::Evidence(Evidence::List { .. }) => "list the evidence",
            Command::Evidence(Evidence::Stats { .. }) => "count the evidence",
            Command::Evidence(Evidence::Archive(_)) => "archive",
            Command::Evidence(Evidence::Purge(_)) => "purge",
            Command::Evidence(Evidence::Bundle { .. }) => "bundle the run",
            Command::Evidence(Evidence::Anchor { .. }) => "anchor the evidence",
            Command::Bench(Bench::Consensus { .. }) => "measure the verdicts",
            Command::Bench(Bench::Check) => "measure check",
            Command::Stats { .. } => "count what agents did",
            Command::Log { .. } => "show the log",
            Command::SelfCheck => "check this program",
            Command::Watch { .. } => "follow the run",
            Command::Replay { .. } => "tell the run again",
            Command::Agents => "list the agents",
            Command::Servers => "list the servers",
            Command::Doctor => "look around",
            Command::Init => "write a config",
            Command::Trust(Trust::List) => "list approvals",
            Command::Trust(Trust::Approve { .. }) => "approve the config",
            Command::Trust(Trust::Revoke) => "take the approval back",
            Command::Cancel { .. } => "cancel",
            Command::Demo { .. } => "run the demonstration",
            Command::Memory(Memory::Serve { .. }) => "serve the memory",
            Command::Mcp(Mcp::Serve(_)) => "serve",
            Command::Memory(Memory::Status) => "look at the memory",
            Command::Memory(Memory::Drain) => "copy to memory",
            Command::Play { .. } => "play the script",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_table_of_arguments_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_run_takes_the_same_options_typed_on_the_screen_as_here() {
        use crate::domain::stage::Stage;
        use crate::domain::wish;
        use std::collections::BTreeSet;
        let of = |stage: Option<Stage>| {
            let command = Args::command();
            let command = command.find_subcommand(stage.map_or("auto", Stage::name)).unwrap().clone();
            let long = |arg: &clap::Arg| arg.get_long().map(|name| format!("--{name}"));
            command.get_arguments().filter_map(long).collect::<BTreeSet<String>>()
        };
        for stage in Stage::ALL.map(Some).into_iter().chain([None]) {
            // What is of every command stands before it, several specs are begun in a shell, and `u` takes back.
            let here: BTreeSet<String> =
                of(stage).into_iter().filter(|name| !["--jobs", "--undo"].contains(&name.as_str())).collect();
            let typed: BTreeSet<String> = wish::options(stage).map(|option| option.name.to_owned()).collect();
            assert_eq!(here, typed.into_iter().filter(|name| name != "--fresh").collect(), "{stage:?}");
        }
    }

    #[test]
    fn a_question_is_put_off_with_a_reason_and_one_thing_is_said_at_a_time() {
        let parse = |words: &[&str]| Args::try_parse_from(["dicast", "gate", "001"].iter().chain(words)).is_ok();
        assert!(parse(&[]) && parse(&["--list"]) && parse(&["--accept", "CLR-1"]) && parse(&["--undo"]));
        assert!(parse(&["--defer", "CLR-1", "--reason", "later", "--by", "me"]));
        assert!(!parse(&["--defer", "CLR-1"]));
        assert!(!parse(&["--accept", "CLR-1", "--defer", "CLR-2", "--reason", "later"]));
    }

    #[test]
    fn a_decision_needs_one_key_a_name_and_a_reason() {
        let parse = |words: &[&str]| Args::try_parse_from(["dicast", "dissent", "001"].iter().chain(words)).is_ok();
        assert!(parse(&[]));
        assert!(parse(&["--waive", "abcd", "--by", "me", "--reason", "why"]));
        assert!(parse(&["--undo", "abcd", "--by", "me", "--reason", "why"]));
        assert!(!parse(&["--undo", "abcd"]));
        assert!(!parse(&["--waive", "abcd"]));
        assert!(!parse(&["--waive", "abcd", "--by", "me"]));
        assert!(!parse(&["--by", "me", "--reason", "why"]));
        assert!(!parse(&["--waive", "a", "--reject", "b", "--by", "me", "--reason", "why"]));
    }
}
