//! How long a key takes to the screen, against the least that this machine and this harness can do at the same moment.
//!
//! The floor is `cat` on a raw terminal: it writes back what is typed, and does nothing else. Its keys are typed between
//! the program's, so that both meet the same load.

use std::time::Duration;

use super::repo::Repo;
use super::{PATIENCE, Session};

/// Milliseconds between two keys: as a fast typist, and not in step with frames of 16 ms.
const GAPS_MS: [u64; 5] = [20, 37, 23, 53, 29];

/// Times of many keys, sorted.
#[derive(Debug, Clone)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Sorts them.
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// Returns the time that so many per cent of the keys do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * percent).div_ceil(100).saturating_sub(1).min(last)).copied().unwrap_or_default()
    }
}

/// What a run of keys took.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// From the key to the end of the frame that shows it.
    pub(crate) program: Times,
    /// From the key to its echo by `cat`.
    pub(crate) floor: Times,
}

/// What every machine has to keep, also a busy one with a program built without optimisation: the median within a
/// frame of 60 Hz and a half, one key in twenty within a blink. The targets are far below (`docs/responsiveness.md`).
const MEDIAN_SLACK: Duration = Duration::from_millis(25);
/// The same for the 95th of a hundred keys.
const TAIL_SLACK: Duration = Duration::from_millis(100);
/// By how much a busy machine may stretch the program's time as compared with the floor's.
const STRETCH: u32 = 4;

impl Measured {
    /// Asserts that keys are as quick as the machine allows.
    pub(crate) fn assert_quick(&self) {
        for (percent, slack) in [(50, MEDIAN_SLACK), (95, TAIL_SLACK)] {
            let (took, floor) = (self.program.percentile(percent), self.floor.percentile(percent));
            let most = floor * STRETCH + slack;
            assert!(took <= most, "p{percent} of key to screen: {took:?}, at most {most:?}; the floor: {floor:?}");
        }
    }
}

/// Starts the floor.
pub(crate) fn floor(repo: &Repo) -> Session {
    let floor = Session::start(&repo.other(&["sh", "-c", "stty raw -echo; printf ready; exec cat"]), 80, 24);
    floor.wait_for("ready");
    floor
}

/// Letters to type: no command begins so.
const LETTERS: &str = "qzxjvkwqxzjqvxkzwjxq";

/// Types keys into the open command line of the program, letters and backspaces by turns, each to the program and then
/// to the floor, and waits for each to be seen.
///
/// # Panics
/// When a key has no effect in time.
pub(crate) fn type_keys(program: &mut Session, floor: &mut Session, keys: usize) -> Measured {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut typed, mut is_growing) = (0, true);
    for key in 0..keys {
        // A typist's pause, not a wait for something.
        std::thread::sleep(Duration::from_millis(GAPS_MS[key % GAPS_MS.len()]));
        is_growing = typed == 0 || is_growing && typed < LETTERS.len();
        let at = if is_growing {
            typed += 1;
            program.send(&LETTERS[typed - 1..typed])
        } else {
            typed -= 1;
            program.send("\x7f")
        };
        let line = format!(":{}", &LETTERS[..typed]);
        let seen = program.wait(&format!("key {key}: {line:?}"), PATIENCE, |screen| has_row(screen, &line));
        ours.push(seen.saturating_duration_since(at));
        theirs.push(echo(floor, key));
    }
    Measured { program: Times::new(ours), floor: Times::new(theirs) }
}

/// Tells whether a row of the screen holds this text and nothing else.
pub(crate) fn has_row(screen: &vt100::Screen, text: &str) -> bool {
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).any(|row| row.trim() == text)
}

fn echo(floor: &mut Session, key: usize) -> Duration {
    let written = floor.written();
    // Now and then a new line, so that the line does not run full.
    let at = floor.send(if key % 78 == 77 { "\r" } else { "e" });
    floor.wait_written(written).saturating_duration_since(at)
}
