//! The report in a real browser: `cargo test --test report_page -- --ignored`, and a step of `.ci/run`. Where there is no
//! Chromium it is skipped, and says so.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it starts a browser and says why it does not"
)]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "cli/world.rs"]
mod world;

#[path = "report_page/browser.rs"]
mod browser;

use dicast::domain::stage::Stage;
use serde_json::{Value, json};

use browser::Browser;
use world::{SPEC, World, inputs, panel};

/// What WCAG 2.2 asks of texts (1.4.3, level AA), in hundredths.
const CONTRAST: f64 = 450.0;

/// Texts that are too pale for their ground: what they say and their contrast, by WCAG's formula.
const PALE: &str = r#"(() => {
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.getClientRects().length) continue;
    seen += 1;
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast * 100 < LEAST) pale.push(`${walk.currentNode.data.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return {seen, pale};
})()"#;

/// Elements that reach beyond the page's width, and are not hidden to the left on purpose.
const WIDE: &str = r#"[...document.querySelectorAll("body *")]
  .filter((e) => e.getClientRects().length && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((e) => `${e.tagName} ${Math.round(e.getBoundingClientRect().right)} ${e.textContent.slice(0, 40)}`)"#;

/// What has the focus: where it leads, whether it is inside the window, whether a frame shows it.
const FOCUS: &str = r##"(() => {
  const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
  return {to: e.getAttribute("href"), inside: box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight,
          framed: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2};
})()"##;

/// A report with everything that it can hold: hostile words, words without a break, dissent, a stale stage, and one that
/// cannot be read.
fn report() -> (World, String) {
    let evil = "<script>alert(1)</script><img src=https://evil.example/x.png> [x](javascript:alert(1))";
    let long = "Unbreakable".repeat(40);
    let spec = SPEC.replace("Rate limiter", &format!("Rate {evil} {long}"));
    let world = World::with_spec().file("specs/003-rate-limiter/spec.md", &spec);
    let sha = dicast::domain::hash::Sha::of(&spec);
    let said = |stage| panel(stage, &format!(r#"{{"spec_sha256":"{sha}"}}"#));
    world.record(&said(Stage::Plan).replace("\"value\":\"20\"", &format!("\"value\":\"20 {evil} {long}\"")));
    world.record(&panel(Stage::Tasks, &inputs()));
    world.record(&said(Stage::Validate));
    world.write("specs/003-rate-limiter/verdicts/audit.json", "{");
    let code = world.dicast(&["report", "003", "--out", "report.html"]).code;
    assert_eq!(code, 3, "a verdict cannot be read, and the report says so");
    let url = format!("file://{}", world.path("report.html").display());
    (world, url)
}

/// What went wrong in the page, and what it asked for besides itself.
fn troubles(events: &[Value], url: &str) -> Vec<String> {
    let of = |event: &Value| match event["method"].as_str().unwrap_or_default() {
        "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => Some(event["params"].to_string()),
        "Network.requestWillBeSent" => {
            let asked = event["params"]["request"]["url"].as_str().unwrap_or_default();
            (asked != url && asked != "about:blank").then(|| format!("it asked for {asked}"))
        }
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

#[test]
#[ignore = "slow: starts a real browser"]
fn the_report_holds_in_a_real_browser() {
    let Some(program) = browser::find() else {
        eprintln!("skipped: the report in a real browser: no Chromium is installed (apt-get install chromium)");
        return;
    };
    let (_world, url) = report();
    let mut browser = Browser::start(&program);
    browser.look(1280, "light", "screen");
    browser.open(&url);
    let shape = browser.evaluate(
        r#"({h1: document.querySelectorAll("h1").length, lang: document.documentElement.lang, title: document.title.length > 0,
             scripts: document.scripts.length, images: document.images.length,
             parts: [...document.querySelectorAll("main > section")].map((s) => s.id)})"#,
    );
    let parts = ["plan", "tasks", "validate", "audit", "dissent"];
    let wanted = json!({"h1": 1, "lang": "en", "title": true, "scripts": 0, "images": 0, "parts": parts});
    assert_eq!(shape, wanted);

    for (width, scheme, medium) in [
        (1280, "light", "screen"),
        (1280, "dark", "screen"),
        (320, "light", "screen"),
        (320, "dark", "screen"),
        (720, "dark", "print"),
    ] {
        let look = format!("{width} px, {scheme}, {medium}");
        browser.look(width, scheme, medium);
        let found = browser.evaluate(&PALE.replace("LEAST", &CONTRAST.to_string()));
        assert!(found["seen"].as_u64().unwrap() > 30, "{look}: {found}");
        assert_eq!(found["pale"], json!([]), "{look}: texts too pale to read");
        let scrolls = browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!((browser.evaluate(WIDE), scrolls), (json!([]), json!(0)), "{look}: wider than the window");
        eprintln!("{look}: {} texts, none below {} : 1, none beyond the window", found["seen"], CONTRAST / 100.0);
    }

    browser.look(320, "light", "screen");
    browser.evaluate("scrollTo(0, 0)");
    let mut reached = Vec::new();
    for _ in 0..=parts.len() {
        browser.press("Tab", 9, "");
        let focus = browser.evaluate(FOCUS);
        assert_eq!((&focus["inside"], &focus["framed"]), (&json!(true), &json!(true)), "{focus}");
        reached.push(focus["to"].as_str().unwrap_or_default().to_owned());
    }
    let links = std::iter::once("#report".to_owned()).chain(parts.map(|part| format!("#{part}")));
    assert_eq!(reached, links.collect::<Vec<_>>(), "the links by keyboard, in their order");
    browser.press("Enter", 13, "\r");
    let top = browser
        .evaluate(r#"[location.hash, Math.abs(document.getElementById("dissent").getBoundingClientRect().top) < 800]"#);
    assert_eq!(top, json!(["#dissent", true]), "Enter goes where a link leads");

    let troubles = troubles(&browser.events, &url);
    assert!(troubles.is_empty(), "{troubles:#?}");
    eprintln!("no error, no message, no request but the page itself; {} links by keyboard", reached.len());
}
