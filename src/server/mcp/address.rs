//! Where resources are: the URIs that clients list, fill in and read.
//!
//! It must not know what stands there.

use std::fmt;

use crate::domain::ids::{RunId, SpecId};
use crate::domain::stage::Stage;

/// The scheme of our URIs.
const SCHEME: &str = "dicast://";

/// The form of a verdict's URI (RFC 6570).
pub(super) const VERDICT: &str = "dicast://verdict/{spec}/{stage}";
/// The form of a journal's URI.
pub(super) const JOURNAL: &str = "dicast://evidence/{spec}/{run}";
/// The form of the URI of a file that a journal names.
pub(super) const FILE: &str = "dicast://evidence/{spec}/{run}/{+path}";

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// The recorded verdict of a stage.
    Verdict(SpecId, Stage),
    /// What a run's journal says, a record a line.
    Journal(SpecId, RunId),
    /// A file that a run's journal names, by its path in the run's folder.
    File(SpecId, RunId, String),
}

impl Address {
    /// Reads a URI; nothing where it is none of ours.
    pub fn parse(uri: &str) -> Option<Self> {
        let (kind, rest) = uri.strip_prefix(SCHEME)?.split_once('/')?;
        let mut parts = rest.splitn(3, '/');
        let spec = SpecId::new(parts.next()?).ok()?;
        let second = parts.next()?;
        let third = parts.next();
        let run = || RunId::try_from(second.to_owned()).ok();
        match (kind, third) {
            ("verdict", None) => Some(Self::Verdict(spec, Stage::named(second).ok()?)),
            ("evidence", None) => Some(Self::Journal(spec, run()?)),
            ("evidence", Some(path)) if !path.is_empty() => Some(Self::File(spec, run()?, path.to_owned())),
            (_, _) => None,
        }
    }

    /// Returns its media type.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Verdict(..) => "application/json",
            Self::Journal(..) => "application/jsonl",
            Self::File(_, _, path) if path.ends_with(".json") => "application/json",
            Self::File(_, _, path) if path.ends_with(".md") => "text/markdown",
            Self::File(..) => "text/plain",
        }
    }

    /// Says what it is, for people.
    pub fn title(&self) -> String {
        match self {
            Self::Verdict(spec, stage) => format!("Verdict of {stage} of {spec}"),
            Self::Journal(spec, run) => format!("Journal of run {} of {spec}", run.short()),
            Self::File(spec, run, path) => format!("{path} of run {} of {spec}", run.short()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(spec, stage) => write!(f, "{SCHEME}verdict/{spec}/{stage}"),
            Self::Journal(spec, run) => write!(f, "{SCHEME}evidence/{spec}/{run}"),
            Self::File(spec, run, path) => write!(f, "{SCHEME}evidence/{spec}/{run}/{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::moment::Moment;

    #[test]
    fn an_address_is_read_as_it_is_written_and_nothing_else_is() {
        let (spec, run) = (SpecId::new("001-x").unwrap(), RunId::mint(Moment(1), 7, 1));
        let all = [
            Address::Verdict(spec.clone(), Stage::Plan),
            Address::Journal(spec.clone(), run.clone()),
            Address::File(spec, run, "panels/plan-1.json".into()),
        ];
        for address in all {
            assert_eq!(Address::parse(&address.to_string()), Some(address));
        }
        for other in [
            "",
            "dicast://",
            "dicast://verdict/001-x",
            "dicast://verdict/001-x/no",
            "file:///etc/passwd",
            "dicast://evidence/001-x/..",
            "dicast://evidence/../x/y",
            "dicast://verdict/001-x/plan/more",
        ] {
            assert_eq!(Address::parse(other), None, "{other}");
        }
    }
}
