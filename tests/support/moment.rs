//! The moment at which a program is killed, told by what it has said: that is the same moment on a busy machine.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::crash::Cut;

/// When a run that nothing happens to says each of its lines, from its start; then when it ends.
#[derive(Debug)]
pub(crate) struct Pace(Vec<Duration>);

/// After so many lines, and so long after the last of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    lines: usize,
    after: Duration,
}

impl Pace {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> (Self, Cut) {
        let began = Instant::now();
        let mut child = start(command);
        let (mut at, mut out) = (Vec::new(), String::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            at.push(began.elapsed());
            out.push_str(&(line.unwrap() + "\n"));
        }
        let code = child.wait().unwrap().code();
        at.push(began.elapsed());
        (Self(at), Cut { code, out })
    }

    /// Returns the moment that a random number stands for: every line is as likely, and after it every moment up to
    /// twice the time to the next, as beside others a run takes longer.
    pub(crate) fn moment(&self, random: u64) -> Moment {
        let lines = usize::try_from(random).unwrap_or(usize::MAX) % self.0.len();
        let before = if lines == 0 { Duration::ZERO } else { self.0[lines - 1] };
        let gap = u64::try_from((self.0[lines] - before).as_micros()).unwrap_or(u64::MAX);
        Moment { lines, after: Duration::from_micros((random >> 32) % (2 * gap + 1_000)) }
    }
}

impl Moment {
    /// Starts a command and kills it at this moment, unless it has ended before.
    pub(crate) fn cut(self, command: &mut Command) -> Cut {
        let mut child = start(command);
        let mut out = String::new();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        for _ in 0..self.lines {
            if told.read_line(&mut out).unwrap() == 0 {
                break;
            }
        }
        // The moment is what is tested, not a wait for something.
        thread::sleep(self.after);
        child.kill().unwrap();
        while told.read_line(&mut out).is_ok_and(|read| read > 0) {}
        Cut { code: child.wait().unwrap().code(), out }
    }
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}
