//! How much room the evidence takes, by spec, stage and kind, and when that is worth a warning.
//!
//! It must not know files: paths and lengths are given.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::ids::SpecId;
use crate::domain::stage::Stage;

/// From here on a spec's evidence is worth a word: four fifths of [`SPEC_MAX`], in bytes.
pub const SPEC_WARN: u64 = 20 << 20;

/// What a spec's evidence should stay under, in bytes: a run takes 2 to 15 MB, so some runs of every spec fit.
pub const SPEC_MAX: u64 = 25 << 20;

/// What all evidence of a repository should stay under, in bytes.
pub const ALL_MAX: u64 = 500 << 20;

/// What a single file should stay under, in bytes: a transcript is kept with 512 KiB, so this is something else.
pub const FILE_MAX: u64 = 5 << 20;

/// Files and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Amount {
    /// How many files.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// What one spec takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OfSpec {
    /// Runs whose folder is there.
    pub runs: u64,
    /// Runs that are kept as archives.
    pub archived: u64,
    /// Runs that were purged.
    pub purged: u64,
    /// All files, archives included.
    #[serde(flatten)]
    pub all: Amount,
    /// By stage; what belongs to no stage (journals, manifests, ledgers, archives) under `none`.
    pub stages: BTreeMap<String, Amount>,
    /// By kind: the folder in a run, `journal`, `manifest`, `ledger`, `archive`.
    pub kinds: BTreeMap<String, Amount>,
}

/// What the evidence of a repository takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Sizes {
    /// By spec.
    pub specs: BTreeMap<SpecId, OfSpec>,
    /// Everything.
    pub all: Amount,
    /// Files beyond [`FILE_MAX`], by path from the evidence root.
    pub large: BTreeMap<String, u64>,
}

impl Sizes {
    /// Returns the account of a spec.
    pub fn of(&mut self, spec: &SpecId) -> &mut OfSpec {
        self.specs.entry(spec.clone()).or_default()
    }

    /// Counts a file of a spec: `path` from the evidence root, `kind` as in [`OfSpec::kinds`].
    pub fn count(&mut self, spec: &SpecId, kind: &str, path: &str, bytes: u64) {
        let account = self.of(spec);
        account.all.add(bytes);
        account.kinds.entry(kind.to_owned()).or_default().add(bytes);
        let stage = stage_of(path).map_or("none", Stage::name);
        account.stages.entry(stage.to_owned()).or_default().add(bytes);
        self.all.add(bytes);
        if bytes > FILE_MAX {
            self.large.insert(path.to_owned(), bytes);
        }
    }

    /// Returns what is worth a warning, with what to do about it.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.all.bytes > ALL_MAX {
            let (all, max) = (megabytes(self.all.bytes), megabytes(ALL_MAX));
            warnings.push(format!("all evidence takes {all}, over {max}: `dicast evidence archive --older-than 30`"));
        }
        for (spec, account) in &self.specs {
            let bytes = account.all.bytes;
            if bytes > SPEC_WARN {
                let most = if bytes > SPEC_MAX { "over" } else { "close to" };
                let (takes, max) = (megabytes(bytes), megabytes(SPEC_MAX));
                let next = format!("`dicast evidence archive {spec} --older-than 30`");
                warnings.push(format!("{spec} takes {takes}, {most} {max}: {next}"));
            }
        }
        for (path, bytes) in &self.large {
            warnings.push(format!("{path} takes {}, over {}", megabytes(*bytes), megabytes(FILE_MAX)));
        }
        warnings
    }
}

/// Returns the stage that a file's name begins with: `raw/plan-claude-1.txt`, `verdicts/plan.json`.
fn stage_of(path: &str) -> Option<Stage> {
    path.rsplit('/').next()?.split(['-', '.']).next()?.parse().ok()
}

/// Writes a size for people: `38.1 MiB`, `12.0 KiB`, `90 B`.
pub fn megabytes(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(unit));
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..0x10_0000 => format!("{} KiB", tenths(1 << 10)),
        _ => format!("{} MiB", tenths(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> SpecId {
        SpecId::new(name).unwrap()
    }

    #[test]
    fn files_are_counted_by_spec_stage_and_kind() {
        let mut sizes = Sizes::default();
        sizes.count(&spec("001-x"), "raw", "consensus/001-x/R/raw/plan-claude-1.txt", 100);
        sizes.count(&spec("001-x"), "raw", "consensus/001-x/R/raw/audit-claude-1.txt", 20);
        sizes.count(&spec("001-x"), "journal", "consensus/001-x/R/journal.jsonl", 3);
        sizes.count(&spec("002-y"), "verdicts", "consensus/002-y/R/verdicts/plan.2.json", 1_000);
        assert_eq!(sizes.all, Amount { files: 4, bytes: 1_123 });
        let one = &sizes.specs[&spec("001-x")];
        assert_eq!(one.all, Amount { files: 3, bytes: 123 });
        assert_eq!(one.kinds["raw"], Amount { files: 2, bytes: 120 });
        assert_eq!((one.stages["plan"].bytes, one.stages["audit"].bytes, one.stages["none"].bytes), (100, 20, 3));
        assert_eq!(sizes.specs[&spec("002-y")].stages["plan"].bytes, 1_000);
        assert!(sizes.warnings().is_empty());
    }

    #[test]
    fn each_limit_has_its_warning_and_a_next_step() {
        let mut sizes = Sizes::default();
        let mut add = |name: &str, bytes| sizes.count(&spec(name), "raw", &format!("consensus/{name}/R/raw/a"), bytes);
        for _ in 0..5 {
            add("001-x", FILE_MAX - 1);
        }
        add("002-y", FILE_MAX + 1);
        let warnings = sizes.warnings();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("001-x takes 25.0 MiB, close to 25.0 MiB: `dicast evidence archive 001-x"));
        assert!(warnings[1].starts_with("consensus/002-y/R/raw/a takes"), "{warnings:?}");
        for n in 0..100 {
            sizes.count(&spec(&format!("1{n:02}-z")), "raw", "x", FILE_MAX);
        }
        assert!(sizes.warnings()[0].starts_with("all evidence takes"));
        assert!(sizes.warnings().len() == 3);
    }

    #[test]
    fn sizes_are_written_for_people() {
        assert_eq!([megabytes(90), megabytes(12 << 10), megabytes(38 << 20)], ["90 B", "12.0 KiB", "38.0 MiB"]);
    }
}
