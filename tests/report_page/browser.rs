//! A real Chromium without a window, driven over its DevTools pipe
//! (<https://chromedevtools.github.io/devtools-protocol/>): JSON texts that end with a zero byte, on descriptors 3 and 4.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long the browser may take to answer: it is slow to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names under which distributions install it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Finds the browser: `DICAST_CHROMIUM`, else on `PATH`.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("DICAST_CHROMIUM") {
        return Some(given.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    asks: File,
    said: Receiver<Value>,
    session: String,
    sent: u64,
    /// What happened since it was asked last.
    pub(crate) events: Vec<Value>,
    _home: TempDir,
}

impl Browser {
    /// Starts one and opens an empty page.
    pub(crate) fn start(program: &Path) -> Self {
        let home = tempfile::tempdir().unwrap();
        let pipe = |name: &str| {
            let path = home.path().join(name);
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            path
        };
        let (asks, answers) = (pipe("asks"), pipe("answers"));
        let child = Command::new("sh")
            .args(["-c", r#"exec 3<"$1" 4>"$2"; shift 2; exec "$@""#, "sh"])
            .args([&asks, &answers])
            .arg(program)
            // The sandbox needs what a container of CI does not give; the page is our own.
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-extensions", "--disable-background-networking", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", home.path().join("profile").display()))
            .arg("about:blank")
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let asks = OpenOptions::new().write(true).open(asks).unwrap();
        let answers = BufReader::new(File::open(answers).unwrap());
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for text in answers.split(0).map_while(Result::ok) {
                let Ok(value) = serde_json::from_slice(&text) else { return };
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self { child, asks, said, session: String::new(), sent: 0, events: Vec::new(), _home: home };
        let page = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": page["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Asks for something, and waits for the answer; what happens meanwhile is kept.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let id = self.sent;
        let mut question = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            question["sessionId"] = self.session.clone().into();
        }
        self.asks.write_all(format!("{question}\0").as_bytes()).unwrap();
        loop {
            let said = self.next(method);
            if said["id"] != id {
                self.events.push(said);
                continue;
            }
            assert!(said["error"].is_null(), "{method}: {said}");
            return said["result"].clone();
        }
    }

    fn next(&self, what: &str) -> Value {
        self.said.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("the browser does not answer {what}: {error}"))
    }

    /// Opens an address and waits until all of it is there.
    pub(crate) fn open(&mut self, url: &str) {
        let opened = self.ask("Page.navigate", json!({"url": url}));
        assert!(opened["errorText"].is_null(), "{opened}");
        let is_loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.iter().any(is_loaded) {
            let event = self.next("Page.navigate");
            self.events.push(event);
        }
    }

    /// Evaluates an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", json!({"expression": expression, "returnByValue": true}));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            self.ask(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}),
            );
        }
    }

    /// Sets the size of the page, the colours that its reader prefers, and the medium.
    pub(crate) fn look(&mut self, width: u32, scheme: &str, medium: &str) {
        let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500});
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"media": medium, "features": scheme}));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to end it ends its own children, too; a browser that is gone hears nothing.
        let question = json!({"id": self.sent + 1, "method": "Browser.close"});
        let _ = self.asks.write_all(format!("{question}\0").as_bytes());
        let _ = self.child.wait();
    }
}
