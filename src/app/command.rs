//! Typed commands: their names, how a line is read, and what can complete it.
//!
//! It must not know what a command does: it returns a [`Command`], and `update` acts.

use serde::{Deserialize, Serialize};

use super::model::Completion;
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::spec;
use crate::domain::stage::Stage;
use crate::domain::wish::{self, Wish};

/// A command as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Run one stage.
    Stage(Stage, SpecId, Box<Wish>),
    /// Draft or revise a spec, for what a person says.
    Specify(SpecId, Option<String>),
    /// Run the remaining stages.
    Auto(SpecId, Box<Wish>),
    /// Show a recorded verdict.
    Verdict(SpecId, Stage),
    /// Show a recorded verdict with one claim selected: its key or a beginning of it, or its subject.
    Explain(SpecId, Stage, String),
    /// Show one spec.
    Spec(SpecId),
    /// Show what the gates ask of a spec.
    Gate(SpecId),
    /// Make a new spec from a sentence.
    New(String),
    /// Write the report of a spec as a page.
    Report(SpecId),
    /// Show what stands open between the stages of a spec.
    Dissent(SpecId),
    /// Read and check the repository again.
    Check,
    /// Write the first config of the repository.
    Init,
    /// Stop the run.
    Cancel,
    /// Give the terminal back; the run goes on without a screen.
    Detach,
    /// Show the MCP servers.
    Servers,
    /// Show what agents ask permission for.
    Permissions,
    /// Show what would be approved.
    Trust,
    /// Show all keys.
    Help,
    /// Leave.
    Quit,
}

/// What a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Spec,
    /// A spec, and options of a run.
    Run,
    SpecAndStage,
    SpecStageAndClaim,
    SpecAndWords,
    Words,
}

impl Takes {
    /// How many words may follow.
    fn words(self) -> usize {
        match self {
            Takes::Nothing => 0,
            Takes::Spec | Takes::Run | Takes::SpecAndWords => 1,
            Takes::SpecAndStage => 2,
            Takes::SpecStageAndClaim => 3,
            // They are anybody's: nothing can be offered.
            Takes::Words => 0,
        }
    }
}

/// Every command: name, what it takes, what it does.
const TABLE: &[(&str, Takes, &str)] = &[
    ("plan", Takes::Run, "how the spec will be met"),
    ("tasks", Takes::Run, "the plan as an ordered list of tasks"),
    ("implement", Takes::Run, "the change itself"),
    ("validate", Takes::Run, "whether the tests show what the spec asks"),
    ("audit", Takes::Run, "whether the change is fit to be let through"),
    ("unlock", Takes::Run, "the decision to let it through"),
    ("auto", Takes::Run, "the remaining stages"),
    ("new", Takes::Words, "a new spec from a sentence"),
    ("specify", Takes::SpecAndWords, "what the spec should say, or say otherwise [for what]"),
    ("clarify", Takes::Spec, "what its words leave open, and what the other gates ask"),
    ("checklist", Takes::Spec, "which requirements cannot be measured or told done, and what the other gates ask"),
    ("analyze", Takes::Spec, "where spec, plan and tasks contradict, and what the other gates ask"),
    ("gate", Takes::Spec, "what all gates ask, to be answered"),
    ("verdict", Takes::SpecAndStage, "a recorded verdict and why"),
    ("explain", Takes::SpecStageAndClaim, "why a claim of a verdict has its label"),
    ("spec", Takes::Spec, "one spec: findings, requirements, stages"),
    ("status", Takes::Spec, "the same: where it stands"),
    ("report", Takes::Spec, "writes what was decided, why and by whom as a page"),
    ("dissent", Takes::Spec, "losing assertions: open, closed, decided"),
    ("check", Takes::Nothing, "read and check the repository again"),
    ("init", Takes::Nothing, "a first config with what was found on this machine"),
    ("cancel", Takes::Nothing, "stop the run"),
    ("detach", Takes::Nothing, "give the terminal back; the run goes on without a screen"),
    ("servers", Takes::Nothing, "the MCP servers"),
    ("queue", Takes::Nothing, "what agents ask permission for"),
    ("trust", Takes::Nothing, "what the project's config wants to run"),
    ("help", Takes::Nothing, "all keys"),
    ("quit", Takes::Nothing, "leave"),
];

/// Prefixes that may stand before a command: `plan 001`, `/plan 001` and `/speckit.plan 001` are the same.
const PREFIXES: &[&str] = &["/speckit.", "/spec-", "/", "speckit.", "spec-"];

/// Commands that print and end, and so belong into a shell: what is typed here, and what is typed there.
const IN_A_SHELL: &[(&str, &str)] = &[
    ("guardrail", "guardrail STAGE SPEC"),
    ("consensus", "consensus SPEC STAGE"),
    ("evidence", "evidence list"),
    ("evidence-stats", "evidence stats"),
    ("decide", "decide PANEL.json"),
    ("replay", "replay RUN"),
    ("watch", "watch SPEC"),
    ("doctor", "doctor"),
    ("agents", "agents"),
    ("init", "init"),
    ("log", "log"),
    ("stats", "stats"),
    ("bench", "bench check"),
];

fn bare(word: &str) -> &str {
    if TABLE.iter().any(|(name, ..)| *name == word) {
        return word;
    }
    let name = PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix)).unwrap_or(word);
    // `/guardrail.plan` and `/spec-ops-plan` name a guardrail and its stage in one word.
    let is_guardrail = ["guardrail.", "ops-"].iter().any(|start| name.starts_with(start));
    if is_guardrail { "guardrail" } else { name }
}

/// Says why a word is no command here, and what would be right.
fn unknown(typed: &str, name: &str) -> Failure {
    if let Some((_, line)) = IN_A_SHELL.iter().find(|(known, _)| *known == name) {
        return Failure::usage(
            format!("command {typed:?}"),
            "it prints and ends, which a screen has no place for",
            format!("type `dicast {line}` in a shell"),
        );
    }
    let near = nearest(name).map_or_else(|| "press ? for all keys".to_owned(), |near| format!("did you mean {near}?"));
    Failure::usage(format!("command {typed:?}"), "there is no such command", near)
}

/// Reads a typed line. `branch` is the spec that the git branch names, for commands without one.
///
/// # Errors
/// A usage failure that says what is wrong and what would be right.
pub fn parse(line: &str, specs: &[SpecId], branch: Option<&SpecId>) -> Result<Command, Failure> {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or("");
    let name = bare(first);
    let Some((name, takes, _)) = TABLE.iter().find(|(known, ..)| *known == name) else {
        return Err(unknown(first, name));
    };
    let rest: Vec<&str> = words.collect();
    match takes {
        Takes::Nothing => nothing(name, &rest),
        Takes::Words if rest.is_empty() => {
            let example = format!("{name} limit requests per client");
            Err(Failure::usage(format!("command {name}"), "it takes a sentence", example))
        }
        Takes::Words => Ok(Command::New(rest.join(" "))),
        Takes::SpecAndWords => {
            let (given, text) = rest.split_at(rest.len().min(1));
            let text = (!text.is_empty()).then(|| text.join(" "));
            Ok(Command::Specify(spec_of(given, specs, branch)?, text))
        }
        Takes::Spec => with_spec(name, spec_of(&rest, specs, branch)?),
        Takes::Run => {
            let stage = name.parse::<Stage>().ok();
            let cut = cut(line)?;
            let (wish, rest) = Wish::read(cut.get(1..).unwrap_or_default(), stage)?;
            let (spec, wish) = (spec_of(&rest, specs, branch)?, Box::new(wish));
            Ok(stage.map_or_else(
                || Command::Auto(spec.clone(), wish.clone()),
                |stage| Command::Stage(stage, spec.clone(), wish.clone()),
            ))
        }
        Takes::SpecAndStage => {
            let (spec, stage) = match rest.as_slice() {
                [spec, stage] => (spec::resolve(specs, spec)?, *stage),
                [stage] if branch.is_some() => (spec_of(&[], specs, branch)?, *stage),
                _ => {
                    let example = format!("{name} 001 plan");
                    return Err(Failure::usage(format!("command {name}"), "it takes a spec and a stage", example));
                }
            };
            let stage = stage_of(name, &spec, stage)?;
            Ok(Command::Verdict(spec, stage))
        }
        Takes::SpecStageAndClaim => match rest.as_slice() {
            [spec, stage, claim @ ..] if !claim.is_empty() => {
                let spec = spec::resolve(specs, spec)?;
                let stage = stage_of(name, &spec, stage)?;
                Ok(Command::Explain(spec, stage, claim.join(" ")))
            }
            _ => {
                let (why, example) = ("it takes a spec, a stage and a claim", format!("{name} 001 plan FR-001"));
                Err(Failure::usage(format!("command {name}"), why, example))
            }
        },
    }
}

fn stage_of(name: &str, spec: &SpecId, stage: &str) -> Result<Stage, Failure> {
    Stage::named(stage)
        .map_err(|e| Failure::usage(format!("command {name}"), e.to_string(), format!("{name} {spec} plan")))
}

fn nothing(name: &str, rest: &[&str]) -> Result<Command, Failure> {
    if !rest.is_empty() {
        return Err(Failure::usage(format!("command {name}"), "it takes nothing after it", name.to_owned()));
    }
    Ok(match name {
        "check" => Command::Check,
        "init" => Command::Init,
        "cancel" => Command::Cancel,
        "detach" => Command::Detach,
        "servers" => Command::Servers,
        "queue" => Command::Permissions,
        "trust" => Command::Trust,
        "quit" => Command::Quit,
        _ => Command::Help,
    })
}

fn with_spec(name: &str, spec: SpecId) -> Result<Command, Failure> {
    match name {
        "clarify" | "checklist" | "analyze" | "gate" => Ok(Command::Gate(spec)),
        "spec" | "status" => Ok(Command::Spec(spec)),
        "report" => Ok(Command::Report(spec)),
        "dissent" => Ok(Command::Dissent(spec)),
        _ => Err(Failure::usage(format!("command {name}"), "there is no such command", "press ? for all keys")),
    }
}

/// Cuts a line into words as a shell would: what stands in quotes is one.
///
/// # Errors
/// Usage, for a quote that is not closed.
fn cut(line: &str) -> Result<Vec<String>, Failure> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(Failure::usage(line, format!("{open} is not closed"), "close the quote"));
    }
    words.extend(word);
    Ok(words)
}

fn spec_of(rest: &[&str], specs: &[SpecId], branch: Option<&SpecId>) -> Result<SpecId, Failure> {
    match (rest, branch) {
        ([given], _) => spec::resolve(specs, given),
        ([], Some(spec)) => Ok(spec.clone()),
        ([], None) => Err(Failure::usage(
            "spec",
            "no spec was named, and the branch names none",
            "add its number, for example 001",
        )),
        _ => Err(Failure::usage("spec", "one spec at a time", "name one")),
    }
}

/// The command that is one or two edits away.
fn nearest(word: &str) -> Option<&'static str> {
    TABLE
        .iter()
        .map(|(name, ..)| (edits(word, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len())
        .map(|(_, name)| name)
}

/// Levenshtein's distance, in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(40).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// Returns what can complete a line, best first.
pub fn complete(line: &str, specs: &[SpecId]) -> Vec<Completion> {
    let (head, tail) = line.rsplit_once(' ').map_or(("", line), |(head, tail)| (head, tail));
    let words: Vec<&str> = head.split_whitespace().collect();
    let Some(first) = words.first() else {
        let typed = bare(tail);
        return TABLE
            .iter()
            .filter(|(name, ..)| name.starts_with(typed))
            .map(|(name, takes, about)| Completion {
                line: if *takes == Takes::Nothing { (*name).to_owned() } else { format!("{name} ") },
                about: (*about).to_owned(),
            })
            .collect();
    };
    let Some((name, takes, _)) = TABLE.iter().find(|(name, ..)| *name == bare(first)) else { return Vec::new() };
    // What follows is offered next: a space stands before it.
    let more = |place: usize| if takes.words() > place { " " } else { "" };
    let place = words.len();
    if *takes == Takes::Run && tail.starts_with('-') {
        let head = words.join(" ");
        let option = |option: &wish::Opt| {
            let (end, value) = option.value.map_or(("", String::new()), |value| (" ", format!("{value} · ")));
            Completion { line: format!("{head} {}{end}", option.name), about: format!("{value}{}", option.about) }
        };
        let options = wish::options(name.parse().ok()).filter(|option| option.name.starts_with(tail));
        return options.map(option).collect();
    }
    match place {
        1 if takes.words() >= 1 => {
            // A number is the beginning of one; words of the name may stand anywhere in it.
            let mut found: Vec<&SpecId> = specs.iter().filter(|spec| spec.as_str().contains(tail)).collect();
            found.sort_by_key(|spec| !spec.as_str().starts_with(tail));
            let line = |spec| format!("{name} {spec}{}", more(place));
            found.into_iter().map(|spec| Completion { line: line(spec), about: String::new() }).collect()
        }
        2 if takes.words() >= 2 => Stage::RECORDED
            .into_iter()
            .filter(|stage| stage.name().starts_with(tail))
            .map(|stage| Completion {
                line: format!("{} {stage}{}", words.join(" "), more(place)),
                about: String::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Vec<SpecId> {
        ["001-login", "002-audit-log", "003-rate-limiter"].iter().map(|s| SpecId::new(s).unwrap()).collect()
    }

    #[test]
    fn three_spellings_of_a_stage_are_the_same_command() {
        let wanted = Command::Stage(Stage::Plan, SpecId::new("001-login").unwrap(), Box::default());
        for line in ["plan 001", "/plan 001", "/speckit.plan 001", "  plan   001-login "] {
            assert_eq!(parse(line, &specs(), None), Ok(wanted.clone()), "{line}");
        }
        assert_eq!(parse("report 001", &specs(), None), Ok(Command::Report(SpecId::new("001-login").unwrap())));
        let branch = SpecId::new("001-login").unwrap();
        assert_eq!(parse("plan", &specs(), Some(&branch)), Ok(wanted));
    }

    #[test]
    fn an_audit_takes_the_commits_that_it_is_about() {
        let spec = SpecId::new("001-login").unwrap();
        let range = Wish { range: Some("main..HEAD".into()), ..Wish::default() };
        let wanted = Command::Stage(Stage::Audit, spec.clone(), Box::new(range));
        assert_eq!(parse("/audit 001 --range main..HEAD", &specs(), None), Ok(wanted.clone()));
        assert_eq!(parse("audit --range main..HEAD", &specs(), Some(&spec)), Ok(wanted));
        assert!(parse("audit 001 --range", &specs(), None).is_err());
        assert!(parse("audit 001 --range a..b c", &specs(), None).is_err());
        assert!(parse("plan 001 --range a..b", &specs(), None).is_err());
    }

    #[test]
    fn auto_takes_the_options_of_the_command_line_quotes_and_all() {
        let spec = SpecId::new("001-login").unwrap();
        let wish = Wish {
            from: Some("tasks".into()),
            skip_stage: vec!["implement=done by hand".into()],
            without: vec!["gemini".into()],
            ..Wish::default()
        };
        let wanted = Command::Auto(spec.clone(), Box::new(wish));
        for line in [
            "auto 001 --from tasks --skip-stage implement=\"done by hand\" --without gemini",
            "/auto --skip-stage 'implement=done by hand' 001 --without=gemini --from=tasks",
        ] {
            assert_eq!(parse(line, &specs(), None), Ok(wanted.clone()), "{line}");
        }
        let no_spec = "auto --from tasks --skip-stage implement='done by hand' --without gemini";
        assert_eq!(parse(no_spec, &specs(), Some(&spec)), Ok(wanted));
        let failure = parse("auto 001 --form tasks", &specs(), None).unwrap_err();
        assert!(failure.hint().contains("--from STAGE"), "{}", failure.hint());
        assert!(parse("auto 001 --skip-stage implement=\"by hand", &specs(), None).is_err());
        let lines = |text: &str| complete(text, &specs()).into_iter().map(|c| c.line).collect::<Vec<_>>();
        assert_eq!(lines("auto 001 --fr"), ["auto 001 --from ", "auto 001 --fresh"]);
        assert_eq!(lines("plan 001 --w"), ["plan 001 --without "]);
    }

    #[test]
    fn a_mistyped_command_is_answered_with_the_near_one() {
        let failure = parse("plna 001", &specs(), None).unwrap_err();
        assert!(failure.hint().contains("plan"), "{}", failure.hint());
        assert_eq!(failure.exit(), 64);
        assert!(parse("plan", &specs(), None).is_err());
        assert!(parse("plan 001 002", &specs(), None).is_err());
        assert!(parse("verdict 001 nope", &specs(), None).is_err());
        assert!(parse("quit now", &specs(), None).is_err());
        assert!(parse("explain 001 plan", &specs(), None).is_err());
        let claim = Command::Explain(SpecId::new("001-login").unwrap(), Stage::Plan, "covers FR-001".into());
        assert_eq!(parse("explain 001 plan covers FR-001", &specs(), None), Ok(claim));
    }

    #[test]
    fn a_name_of_the_command_line_is_known_here_or_says_where_it_is_typed() {
        for line in ["/speckit.clarify 001", "/speckit.checklist 001", "/speckit.analyze 001", "/speckit.status 001"] {
            assert!(parse(line, &specs(), None).is_ok(), "{line}");
        }
        for (line, there) in [
            ("/guardrail.plan 001", "dicast guardrail STAGE SPEC"),
            ("/spec-ops-plan 001", "dicast guardrail STAGE SPEC"),
            ("/spec-consensus 001 plan", "dicast consensus SPEC STAGE"),
            ("/spec-evidence-stats", "dicast evidence stats"),
            ("doctor", "dicast doctor"),
        ] {
            let failure = parse(line, &specs(), None).unwrap_err();
            assert!(failure.hint().contains(there), "{line}: {}", failure.hint());
        }
    }

    #[test]
    fn completion_offers_commands_then_specs_then_stages() {
        let lines = |text: &str| complete(text, &specs()).into_iter().map(|c| c.line).collect::<Vec<_>>();
        assert_eq!(lines("/speckit.pl"), ["plan "]);
        assert_eq!(lines("plan 00").len(), 3);
        assert_eq!(lines("plan rate"), ["plan 003-rate-limiter"]);
        assert_eq!(lines("verdict 003-rate-limiter un"), ["verdict 003-rate-limiter unlock"]);
        assert_eq!(lines("nope x"), Vec::<String>::new());
        assert_eq!(lines("verdict 003"), ["verdict 003-rate-limiter "]);
        assert_eq!(lines("verdict  003 pl"), ["verdict 003 plan"]);
        assert_eq!(lines("/explain 003"), ["explain 003-rate-limiter "]);
        assert_eq!(lines("explain 003 pl"), ["explain 003 plan "]);
        assert_eq!(lines("explain 003 plan FR"), Vec::<String>::new());
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "\\PC{0,60}") {
            let _ = parse(&line, &specs(), None);
            let _ = complete(&line, &specs());
        }
    }
}
