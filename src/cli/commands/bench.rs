//! `dicast bench`: how well verdicts hold where the truth is known, and how long a decision takes.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::args::Bench;
use super::super::out::{Done, table};
use super::super::sample;
use crate::domain::bench::load::{self, Shape};
use crate::domain::bench::mutants;
use crate::domain::bench::score::Method;
use crate::domain::bench::table::{Report, report, spread};
use crate::domain::check::{FileText, Tree};
use crate::domain::consensus::{decide, parse_panel};
use crate::domain::failure::Failure;

/// Measurements of each size; the best one counts, because a machine is never quicker than it is.
const TRIES: usize = 5;

/// Measures what is asked.
///
/// # Errors
/// A shipped case that cannot be read.
pub(super) fn bench(what: &Bench, json: bool) -> Result<Done, Failure> {
    match what {
        Bench::Consensus { speed: true, .. } => speed(json),
        Bench::Consensus { seed, speed: false } => {
            let report = report(*seed)?;
            if json {
                return Ok(Done::json(serde_json::to_string(&report).unwrap_or_default() + "\n"));
            }
            Ok(Done::lines(text(&report)))
        }
        Bench::Check => Ok(check(json)),
    }
}

/// Breaks sound projects and counts what `check` finds.
fn check(json: bool) -> Done {
    let files = sample::files().iter().map(|(path, text)| ((*path).to_owned(), FileText::text(*text))).collect();
    let table = mutants::run(Tree { files, ..Tree::default() });
    match json {
        true => Done::json(serde_json::to_string(&table).unwrap_or_default() + "\n"),
        false => Done::lines(table.text()),
    }
}

fn text(report: &Report) -> String {
    let mut out = format!("seed {}\n{}\n", report.seed, report.aims());
    for (title, rows) in report.rows() {
        out.push_str(&format!("\n{title}\n{}", table(&rows)));
    }
    out.push_str(&format!("\n{}, other seeds\n{}", Method::Round.name(), table(&spread())));
    out.push_str("\nby hand, and wrong: what it shows\n");
    let wrong = report.wrong.iter().map(|w| vec![w.case.clone(), w.ends.clone(), w.limit.clone()]);
    out.push_str(&table(&wrong.collect::<Vec<_>>()));
    out
}

/// What one panel took.
struct Timed {
    assertions: usize,
    shape: Shape,
    parsing: Duration,
    deciding: Duration,
}

/// Times parsing and deciding of panels of three sizes and both shapes.
fn speed(json: bool) -> Result<Done, Failure> {
    let sizes = [load::EACH / 80, load::EACH / 8, load::EACH];
    let panels = Shape::ALL.into_iter().flat_map(|shape| sizes.map(|each| (shape, each)));
    let timed = panels.map(|(shape, each)| time(shape, each)).collect::<Result<Vec<_>, _>>()?;
    if json {
        let lines = timed.iter().map(|t| {
            let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let (parse, decide) = (micros(t.parsing), micros(t.deciding));
            json!({"schema": "dicast.speed/1", "assertions": t.assertions, "shape": t.shape.name(),
                   "parse_us": parse, "decide_us": decide})
            .to_string()
                + "\n"
        });
        return Ok(Done::json(lines.collect::<String>()));
    }
    let head = ["assertions", "each agent speaks of", "parse ms", "decide ms", "ratio"].map(str::to_owned).to_vec();
    let rows = timed.iter().map(|t| {
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
        let ratio = format!("{:.1}", t.deciding.as_secs_f64() / t.parsing.as_secs_f64());
        vec![t.assertions.to_string(), t.shape.name().to_owned(), ms(t.parsing), ms(t.deciding), ratio]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let build = if cfg!(debug_assertions) { "unoptimised" } else { "release" };
    Ok(Done::lines(format!("{build} build, one core, best of {TRIES}\n{}", table(&rows))))
}

fn time(shape: Shape, each: usize) -> Result<Timed, Failure> {
    let text = load::panel(shape, each);
    let (mut parsing, mut deciding) = (Duration::MAX, Duration::MAX);
    for _ in 0..TRIES {
        let start = Instant::now();
        let panel = parse_panel(&text)?;
        let parsed = Instant::now();
        let verdict = decide(&panel);
        let decided = Instant::now();
        parsing = parsing.min(parsed - start);
        deciding = deciding.min(decided - parsed);
        // Dropped here, so that giving memory back is not measured.
        drop((panel, verdict));
    }
    Ok(Timed { assertions: load::AGENTS * each, shape, parsing, deciding })
}
