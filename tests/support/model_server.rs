//! The scripted model server of examples/, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::example::example;

/// A scripted model server; gone when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// Starts it with a script; what it was asked goes to a log.
    pub(crate) fn start(script: &Path, log: &Path) -> Self {
        let mut child = Command::new(example("fake_model_server"))
            .args(["--script".as_ref(), script.as_os_str(), "--log".as_ref(), log.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
