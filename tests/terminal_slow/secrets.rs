//! A secret that agents and a spec print, on the screen: no frame of any view shows it.

use std::time::Instant;

use super::BINARY;
use super::pty::Session;
use super::pty::repo::{FIRST, Repo};

/// The secret: a value of the environment, and no well-known kind of key.
const SECRET: &str = "correct-horse-battery-staple-9000";

/// So much of it that no other words are meant; a line may break behind it.
const START: &str = "correct-horse";

/// The usual size.
const SIZE: (u16, u16) = (120, 36);

pub(crate) fn no_frame_shows_it() {
    let said = format!("my key is {SECRET}");
    let mut repo = Repo::with_panel(
        BINARY,
        &[("ann", &["--stderr", &said, "--quantity", SECRET]), ("bob", &["--quantity", "12"]), ("cyd", &["--hang"])],
    );
    repo.set("MY_PASSPHRASE", SECRET);
    let config = repo.read(".dicast/config.toml").unwrap();
    repo.write(".dicast/config.toml", &format!("{config}[evidence]\nredact_env = [\"MY_PASSPHRASE\"]\n"));
    let spec = repo.read(&format!("specs/{FIRST}/spec.md")).unwrap();
    repo.write(&format!("specs/{FIRST}/spec.md"), &spec.replace("say hello", &format!("say {SECRET} or hi")));
    let began = Instant::now();
    let mut session = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
    session.record_frames();
    session.wait_for(FIRST);
    let mut look = |keys: &str, shows: &str| {
        session.send(keys);
        session.wait_for(shows);
    };
    look(&format!(":spec {FIRST}\r"), "FR-002");
    look("q", "Ask the panel");
    look(&format!(":gate {FIRST}\r"), "which one");
    look("\x1b", "Ask the panel");
    look("p", "Enter starts");
    look("\r", "2 of 3 answered");
    look("\r", "ann");
    look("q", "1 Agents");
    look("\x1b", "0 processes left");
    let frames = session.frames_after(began);
    assert!(frames.len() > 8, "{} frames", frames.len());
    for frame in &frames {
        assert!(!frame.screen.contains(START), "{}", frame.screen);
    }
    assert!(frames.iter().any(|frame| frame.screen.contains("[redacted]")), "it did get there");
}
