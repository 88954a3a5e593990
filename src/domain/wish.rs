//! What a run is asked for besides its spec: the options of the stages and of `auto`, on the command line and typed on the
//! screen. One table says which there are, and one place what they mean.
//!
//! It must not know what is recorded of a spec: which stages are left is the caller's to say.

use serde::{Deserialize, Serialize};

use super::absent::{self, Without};
use super::candidate::{Place, Portion, Take, Which};
use super::failure::Failure;
use super::ids::AgentName;
use super::skip::{self, Skipped};
use super::stage::{Stage, UnknownStage};

/// Which command takes an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// One stage, whichever.
    Stage,
    /// One stage, and only this.
    Only(Stage),
    /// `auto`.
    Auto,
}

/// An option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opt {
    /// Its name, with the dashes.
    pub name: &'static str,
    /// What stands behind it; nothing where it stands alone.
    pub value: Option<&'static str>,
    /// Who takes it.
    pub of: &'static [Of],
    /// What it does.
    pub about: &'static str,
}

const fn opt(name: &'static str, value: Option<&'static str>, of: &'static [Of], about: &'static str) -> Opt {
    Opt { name, value, of, about }
}

const ANY: &[Of] = &[Of::Stage, Of::Auto];
const AUTO: &[Of] = &[Of::Auto];
const TAKES: &[Of] = &[Of::Only(Stage::Implement), Of::Auto];

/// Every option of a run.
pub const OPTIONS: &[Opt] = &[
    opt("--from", Some("STAGE"), AUTO, "begins here, also where that was passed before"),
    opt("--stages", Some("LIST"), AUTO, "exactly these (plan,tasks,…)"),
    opt("--skip-stage", Some("STAGE=REASON"), AUTO, "leaves a stage out, on record"),
    opt("--apply", Some("best|CANDIDATE"), TAKES, "takes a candidate of implement"),
    opt("--with-unasked", None, TAKES, "also what no task asked for"),
    opt("--range", Some("A..B"), &[Of::Only(Stage::Audit)], "the change between two commits"),
    opt("--without", Some("NAME"), ANY, "does not ask this agent, on record"),
    opt("--rerun-missing", None, ANY, "asks only those that did not answer"),
    opt("--no-round", None, ANY, "does not ask what stands open"),
    opt("--fresh", None, ANY, "does not go on with a stopped run"),
];

/// Returns the options of one stage, or of `auto`.
pub fn options(stage: Option<Stage>) -> impl Iterator<Item = &'static Opt> {
    let is_its = move |of: &Of| match (of, stage) {
        (Of::Stage, Some(_)) | (Of::Auto, None) => true,
        (Of::Only(only), Some(stage)) => *only == stage,
        (Of::Only(_) | Of::Stage, None) | (Of::Auto, Some(_)) => false,
    };
    OPTIONS.iter().filter(move |option| option.of.iter().any(is_its))
}

/// What was asked for, as words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// The first stage.
    pub from: Option<String>,
    /// Exactly these stages.
    pub stages: Vec<String>,
    /// Stages that are left out, each with a reason.
    pub skip_stage: Vec<String>,
    /// The candidate that is taken.
    pub apply: Option<String>,
    /// Whether what no task asked for is taken, too.
    pub with_unasked: bool,
    /// The commits whose change it is about.
    pub range: Option<String>,
    /// Agents that are left out.
    pub without: Vec<String>,
    /// Whether only those are asked that did not answer.
    pub rerun_missing: bool,
    /// Whether no round is held.
    pub no_round: bool,
    /// Whether a stopped run is not gone on with.
    pub fresh: bool,
}

/// The stages of a run, and what is left out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Which stages, in order; not empty.
    pub stages: Vec<Stage>,
    /// Which are left out, and why.
    pub skipped: Skipped,
}

impl Wish {
    /// Reads the words behind the name of a command: options of one stage, or of `auto`; what is none is returned.
    ///
    /// # Errors
    /// Usage, with the options that there are.
    pub fn read(words: &[String], stage: Option<Stage>) -> Result<(Self, Vec<&str>), Failure> {
        let (mut wish, mut rest) = (Self::default(), Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                rest.push(word.as_str());
                continue;
            }
            let (name, given) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let option = options(stage).find(|option| option.name == name).ok_or_else(|| unknown(name, stage))?;
            let value = match (option.value, given) {
                (None, None) => "",
                (None, Some(_)) => return Err(Failure::usage(name, "it stands alone", format!("write {name}"))),
                (Some(_), Some(value)) => value,
                (Some(what), None) => match words.next().filter(|next| !next.starts_with("--")) {
                    Some(value) => value.as_str(),
                    None => return Err(Failure::usage(name, format!("{what} is missing"), format!("{name} {what}"))),
                },
            };
            wish.take_in(name, value)?;
        }
        wish.fits()?;
        Ok((wish, rest))
    }

    fn take_in(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let one = |place: &mut Option<String>| match place.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(Failure::usage(name, "it is given twice", "give it once")),
        };
        match name {
            "--from" => one(&mut self.from)?,
            "--apply" => one(&mut self.apply)?,
            "--range" => one(&mut self.range)?,
            "--stages" => self.stages.extend(value.split(',').map(str::to_owned)),
            "--skip-stage" => self.skip_stage.push(value.to_owned()),
            "--without" => self.without.push(value.to_owned()),
            "--with-unasked" => self.with_unasked = true,
            "--rerun-missing" => self.rerun_missing = true,
            "--no-round" => self.no_round = true,
            _ => self.fresh = true,
        }
        Ok(())
    }

    /// Tells what does not go together.
    fn fits(&self) -> Result<(), Failure> {
        if self.from.is_some() && !self.stages.is_empty() {
            return Err(Failure::usage("--from", "it does not go with --stages", "give one of them"));
        }
        if self.with_unasked && self.apply.is_none() {
            return Err(Failure::usage("--with-unasked", "nothing is taken", "add --apply best"));
        }
        Ok(())
    }

    /// Returns the candidate that is taken, and where it goes.
    ///
    /// # Errors
    /// Usage for what cannot be an agent's name.
    pub fn take(&self, place: Place) -> Result<Option<Take>, Failure> {
        let Some(word) = &self.apply else { return Ok(None) };
        let bad =
            |bad: super::ids::BadName| Failure::usage("--apply", bad.to_string(), "give best, or the name of an agent");
        let which = if word == "best" { Which::Best } else { Which::Of(AgentName::new(word).map_err(bad)?) };
        let portion = if self.with_unasked { Portion::Whole } else { Portion::Asked };
        Ok(Some(Take { which, place, portion }))
    }

    /// Returns who is left out, if somebody is.
    ///
    /// # Errors
    /// Usage for what cannot be an agent's name.
    pub fn without(&self) -> Result<Option<Without>, Failure> {
        if self.without.is_empty() { Ok(None) } else { absent::without(&self.without).map(Some) }
    }

    /// Returns the stages that were named, in their order; `None` where none was.
    ///
    /// # Errors
    /// Usage for what is no stage.
    pub fn named_stages(&self) -> Result<Option<Vec<Stage>>, Failure> {
        let called = |flag: &str, word: &str| {
            let bad = |unknown: UnknownStage| Failure::usage(flag, unknown.to_string(), unknown.hint());
            word.trim().parse::<Stage>().map_err(bad)
        };
        if let Some(from) = &self.from {
            let from = called("--from", from)?;
            return Ok(Some(Stage::ALL.into_iter().filter(|stage| *stage >= from).collect()));
        }
        let mut stages = self.stages.iter().map(|word| called("--stages", word)).collect::<Result<Vec<_>, _>>()?;
        stages.sort();
        stages.dedup();
        Ok((!stages.is_empty()).then_some(stages))
    }

    /// Returns the stages that are left out, and why.
    ///
    /// # Errors
    /// Usage for what is no stage, and for one without a reason.
    pub fn skipped(&self) -> Result<Skipped, Failure> {
        self.skip_stage.iter().map(|given| skip::skipped(given)).collect()
    }

    /// Returns what `auto` goes through. `remaining` says from which stage on a spec has not passed, and what was left out
    /// before; it is asked only where no stages were named. `None`: nothing is left to do.
    ///
    /// # Errors
    /// As [`Wish::named_stages`] and [`Wish::skipped`]; usage where nothing would be left; what `remaining` says.
    pub fn course(
        &self,
        remaining: impl FnOnce() -> Result<(Option<Stage>, Skipped), Failure>,
    ) -> Result<Option<Course>, Failure> {
        let mut skipped = self.skipped()?;
        let mut stages = match self.named_stages()? {
            Some(named) => named,
            None => {
                let (first, left_out) = remaining()?;
                // What was left out before stays left out: whoever wants it after all names it.
                skipped = left_out.into_iter().chain(skipped).collect();
                let Some(first) = first else { return Ok(None) };
                Stage::ALL.into_iter().filter(|stage| *stage >= first).collect()
            }
        };
        stages.retain(|stage| !skipped.contains_key(stage));
        if stages.is_empty() {
            let why = "every stage that is left would be left out";
            return Err(Failure::usage("--skip-stage", why, "leave one of them in"));
        }
        Ok(Some(Course { stages, skipped }))
    }
}

/// Says which options there are instead.
fn unknown(name: &str, stage: Option<Stage>) -> Failure {
    if name == "--jobs" && stage.is_none() {
        let next = "type `dicast auto 001 002 --jobs 2` in a shell";
        return Failure::usage(name, "the screen begins one spec at a time", next);
    }
    let word = |option: &Opt| option.value.map_or(option.name.to_owned(), |value| format!("{} {value}", option.name));
    let known: Vec<String> = options(stage).map(word).collect();
    let of = stage.map_or("auto", Stage::name);
    Failure::usage(name, format!("{of} has no such option"), format!("it takes {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str], stage: Option<Stage>) -> Result<Wish, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Wish::read(&words, stage).map(|(wish, _)| wish)
    }

    #[test]
    fn options_are_read_in_both_spellings_and_the_rest_is_returned() {
        let words: Vec<String> =
            ["001", "--from", "tasks", "--skip-stage=implement=by hand", "--without", "a", "--without=b", "--fresh"]
                .map(str::to_owned)
                .into();
        let (wish, rest) = Wish::read(&words, None).unwrap();
        assert_eq!(rest, ["001"]);
        let wanted = Wish {
            from: Some("tasks".into()),
            skip_stage: vec!["implement=by hand".into()],
            without: vec!["a".into(), "b".into()],
            fresh: true,
            ..Wish::default()
        };
        assert_eq!(wish, wanted);
        let course = wish.course(|| unreachable!("stages were named")).unwrap().unwrap();
        assert_eq!(course.stages, [Stage::Tasks, Stage::Validate, Stage::Audit, Stage::Unlock]);
        assert_eq!(course.skipped[&Stage::Implement], "by hand");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (words, stage, says) in [
            (&["--form", "tasks"][..], None, "it takes --from STAGE, --stages LIST, --skip-stage STAGE=REASON"),
            (&["--from"], None, "--from STAGE"),
            (&["--from", "--fresh"], None, "--from STAGE"),
            (&["--fresh=1"], None, "write --fresh"),
            (&["--from", "plan", "--from", "tasks"], None, "give it once"),
            (&["--from", "plan", "--stages", "plan"], None, "give one of them"),
            (&["--with-unasked"], None, "add --apply best"),
            (&["--jobs", "2"], None, "in a shell"),
            (&["--from", "plan"], Some(Stage::Plan), "it takes --without NAME, --rerun-missing, --no-round, --fresh"),
            (&["--range", "a..b"], Some(Stage::Plan), "it takes --without NAME"),
        ] {
            let failure = read(words, stage).unwrap_err();
            assert_eq!(failure.exit(), 64);
            assert!(failure.hint().contains(says), "{words:?}: {}", failure.hint());
        }
        assert!(read(&["--range", "a..b"], Some(Stage::Audit)).is_ok());
        assert!(read(&["--apply", "best"], Some(Stage::Implement)).is_ok());
    }

    #[test]
    fn what_was_left_out_before_stays_left_out_until_it_is_named() {
        let before = || Ok((Some(Stage::Tasks), Skipped::from([(Stage::Implement, "by hand".to_owned())])));
        let course = Wish::default().course(before).unwrap().unwrap();
        assert_eq!(course.stages, [Stage::Tasks, Stage::Validate, Stage::Audit, Stage::Unlock]);
        let named = Wish { stages: vec!["implement".into()], ..Wish::default() };
        assert_eq!(named.course(before).unwrap().unwrap().skipped, Skipped::new());
        assert_eq!(Wish::default().course(|| Ok((None, Skipped::new()))), Ok(None));
        let none = Wish { skip_stage: vec!["unlock=x".into()], stages: vec!["unlock".into()], ..Wish::default() };
        assert_eq!(none.course(before).unwrap_err().exit(), 64);
    }
}
