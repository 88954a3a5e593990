//! What real specs look like, and what no text may do to the parsers.

use super::*;

const SPEC: &str = "# Feature Specification: Rate limiter\r\n\r\n### User Story 1 - Limits (Priority: P1)\r\n\r\n\
1. **Given** a key, **When** it asks, **Then** yes\r\n\r\n\
### Functional Requirements\r\n\r\n\
- **FR-001**: System MUST limit each key to\r\n  10 requests per second\r\n\
- **FR-002** The service should answer 429\r\n  - AC-1: with Retry-After\r\n\
- [ ] FR-003: clients MAY ask for the limit, which MUST be fresh\r\n\
| NFR-1 | latency | P1 |\r\n|---|---|---|\r\n| FR-001 | US1 | tests/a.rs |\r\n\
#### R-7: Logs\r\n\r\nEvery refusal SHALL be logged.\r\n\r\n\
```\r\n- **FR-099**: not me\r\n```\r\n\
- FR-001, FR-002: see above\r\n- FR-002 → T004\r\n- FR-001: System MUST limit each key to 20 requests per second\r\n";

fn id(text: &str) -> SpecId {
    SpecId::new(text).unwrap()
}

fn spec() -> Spec {
    parse(id("003-rate-limiter"), "specs/003-rate-limiter", "specs/003-rate-limiter/spec.md", SPEC)
}

#[test]
fn requirements_are_read_from_items_rows_and_headings() {
    let spec = spec();
    let got: Vec<(&str, Level, u32)> = spec.requirements.iter().map(|r| (r.id.as_str(), r.level, r.line)).collect();
    assert_eq!(
        got,
        [
            ("FR-001", Level::Must, 9),
            ("FR-002", Level::Should, 11),
            ("FR-003", Level::May, 13),
            ("NFR-1", Level::Must, 14),
            ("R-7", Level::Must, 17),
        ]
    );
    assert_eq!(spec.requirements[0].text, "System MUST limit each key to 10 requests per second");
    assert_eq!(spec.requirements[4].text, "Logs Every refusal SHALL be logged.");
    assert_eq!(spec.requirement("AC-1").unwrap().id, "FR-002");
    assert_eq!(spec.restated.len(), 1);
    assert_eq!(spec.title, "Rate limiter");
    assert_eq!(spec.stories[0].scenarios[0].id, "US1-AS1");
}

#[test]
fn a_spec_without_ids_takes_them_from_stories_then_scenarios_then_has_none() {
    let of = |text| parse(id("001-a"), "specs/001-a", "specs/001-a/spec.md", text);
    let ids = |spec: &Spec| spec.requirements.iter().map(|r| r.id.clone()).collect::<Vec<_>>();
    let stories = of("### User Story 2 - B\n1. Given x\n### User Story 3: C\n");
    assert_eq!(ids(&stories), ["US2", "US3"]);
    assert_eq!(stories.requirements[0].criteria, ["US2-AS1"]);
    assert_eq!(ids(&of("- **Given** a, then b\n- given c, then d\n")), ["AS1", "AS2"]);
    assert_eq!(ids(&of("- As a user, I want a door\n")), ["US1"]);
    assert_eq!(of("just prose\n").asked().unwrap_err().exit(), 10);
}

#[test]
fn tasks_are_read_with_what_they_name() {
    let tasks = parse_tasks(
        "## Phase 1\n\n- [x] T001 [P] [US1] Implement RateLimiter in src/limiter.rs (FR-001)\n\
         - [X] **T002**: Test `burst_of_twenty_is_allowed` in `tests/limiter.rs` covering FR-002 to FR-004\n\
         - [ ] T003 Send `RateLimit-Reset` from `Response::header()`; see https://x.org/a.html, Node.js and and/or\n  \
         - file: src/http.rs:40\n\n## Dependencies\n- T001 before T002\n",
    );
    let got: Vec<(&str, bool, bool, u32)> = tasks.iter().map(|t| (t.id.as_str(), t.done, t.parallel, t.line)).collect();
    assert_eq!(got, [("T001", true, true, 3), ("T002", true, false, 4), ("T003", false, false, 5)]);
    assert_eq!(tasks[0].requirements, ["US1", "FR-001"]);
    assert_eq!((&tasks[0].files, &tasks[0].symbols), (&vec!["src/limiter.rs".into()], &vec!["RateLimiter".into()]));
    assert_eq!(tasks[1].tests, ["burst_of_twenty_is_allowed"]);
    assert_eq!(tasks[1].requirements, ["FR-002", "FR-003", "FR-004"]);
    assert_eq!(tasks[2].symbols, ["RateLimit-Reset", "Response::header"]);
    assert_eq!(tasks[2].files, ["src/http.rs"]);
    let prose = parse_tasks("- [ ] T1 Add TodoService.add() and wait_for() beside stdin.is_tty() in src/ and tests/\n");
    assert_eq!(prose[0].symbols, ["TodoService.add", "wait_for"]);
    assert!(prose[0].files.is_empty());
    let tested = parse_tasks("- [ ] T1 Test: `module_id` is kept, in src/__init__.py; test `a_key_is_never_lost`\n");
    assert_eq!(
        (tested[0].symbols.as_slice(), tested[0].tests.as_slice()),
        (&["module_id".to_owned()][..], &["a_key_is_never_lost".to_owned()][..])
    );
    assert_eq!(tested[0].files, ["src/__init__.py"]);
    let removal = parse_tasks("- [ ] T1 [US1] Remove `OldThing` and src/old.rs. Put and delete through `NewThing`\n");
    assert_eq!((removal[0].symbols.as_slice(), removal[0].files.len()), (&["NewThing".to_owned()][..], 0));
}

#[test]
fn other_shapes_of_task_lists_are_read() {
    let ids = |text| parse_tasks(text).iter().map(|t| (t.id.clone(), t.done)).collect::<Vec<_>>();
    assert_eq!(
        ids("### T001: A ✅\n### T002: B\n**Status**: not done\n"),
        [("T001".into(), true), ("T002".into(), false)]
    );
    assert_eq!(
        ids("| T001 | Make a | Done |\n| T002 | Make b | Todo |"),
        [("T001".into(), true), ("T002".into(), false)]
    );
    assert_eq!(ids("- [x] 1.1 Make a\n- [ ] 1.2 Make b"), [("1.1".into(), true), ("1.2".into(), false)]);
    assert_eq!(ids("- [x] Make a\n- [ ] Make b"), [("line-1".into(), true), ("line-2".into(), false)]);
    assert_eq!(ids("no tasks\n"), []);
}

#[test]
fn names_are_not_seen_where_there_are_none() {
    let tasks = parse_tasks(
        "- [x] T001 Deploy Node.js with `npm run build`, read/write as `GET /api/users`, `--json`, v1.2.3, `**/*.ts`, \
         `src/[entity].rs`, e.g. a `feature/branch`, `true` and `src/{a,b}.rs` on GitHub",
    );
    assert_eq!((tasks[0].files.len(), tasks[0].symbols.len(), tasks[0].tests.len()), (0, 0, 0), "{:?}", tasks[0]);
}

#[test]
fn ranges_name_each_id_and_stories_have_one_spelling() {
    assert_eq!(
        requirement_ids("FR-001–FR-003, (NFR-2) xFR-9 FR-004--FR-006"),
        ["FR-001", "FR-002", "FR-003", "NFR-2", "FR-004", "FR-005", "FR-006"]
    );
    assert_eq!(
        requirement_ids("[US-001] US1 US1-AS2 AC-3 AC1.2 FR-001-AC1 FR-abc R-squared"),
        ["US1", "US1-AS2", "AC-3", "AC1.2", "FR-001-AC1"]
    );
}

#[test]
fn both_layouts_are_found() {
    let folders = find([
        "README.md",
        "specs/001-login/spec.md",
        "specs/001-login/tasks.md",
        "docs/SPEC-KIT-010-x/PRD.md",
        "docs/SPEC-KIT-010-x/spec.md",
        "docs/guide/spec.md",
        "specs/spec.md",
        ".specify/specs/002-b/spec.md",
    ]);
    let got: Vec<(&str, Layout, usize)> =
        folders.iter().map(|f| (f.dir.as_str(), f.layout, f.documents.len())).collect();
    assert_eq!(
        got,
        [
            ("specs/001-login", Layout::SpecKit, 1),
            (".specify/specs/002-b", Layout::SpecKit, 1),
            ("docs/SPEC-KIT-010-x", Layout::Seed, 2),
        ]
    );
    assert!(folders[2].documents[0].ends_with("spec.md"));
}

#[test]
fn a_spec_is_named_exactly_or_by_a_unique_prefix() {
    let all = [id("001-a"), id("001-a-b"), id("002-c"), id("SPEC-KIT-003-d")];
    assert_eq!(resolve(&all, "001-a").unwrap(), all[0]);
    assert_eq!(resolve(&all, "002").unwrap(), all[2]);
    assert_eq!(resolve(&all, "specs/002-c/").unwrap(), all[2]);
    assert_eq!(resolve(&all, "spec-kit-003").unwrap(), all[3]);
    let several = resolve(&all, "001").unwrap_err();
    assert_eq!(several.exit(), 64);
    assert!(several.to_string().contains("001-a, 001-a-b"), "{several}");
    for none in ["", "9", "é"] {
        assert_eq!(resolve(&all, none).unwrap_err().exit(), 64);
    }
    assert_eq!(from_branch(&all, "feature/002-other"), Some(all[2].clone()));
    assert_eq!(from_branch(&all, "001-zzz"), None);
    assert_eq!(from_branch(&all, "main"), None);
}

#[test]
fn documents_that_are_no_text_are_refused_with_a_next_step() {
    for (bytes, why) in
        [(b"".as_slice(), "empty"), (b" \n", "empty"), (b"\xef\xbb\xbf \n", "empty"), (b"\xff\xfe", "UTF-8")]
    {
        let failure = text_of("specs/001-a/spec.md", bytes).unwrap_err();
        assert!(failure.to_string().contains(why), "{failure}");
        assert_eq!(failure.exit(), 10);
    }
    let large = vec![b'a'; 10 * 1024 * 1024];
    assert!(text_of("specs/001-a/spec.md", &large).unwrap_err().to_string().contains("larger than 2 MB"));
}

#[test]
fn a_byte_order_mark_is_part_of_what_a_spec_is_known_by_and_of_nothing_else() {
    let bytes = "\u{feff}# X\r\n\r\n- **FR-001**: It MUST wait a second\r\n";
    let spec = parse(id("001-a"), "specs/001-a", "specs/001-a/spec.md", &text_of("spec.md", bytes.as_bytes()).unwrap());
    assert_eq!((spec.title.as_str(), spec.requirements.len()), ("X", 1));
    assert_eq!(spec.sha, crate::domain::hash::Sha::of(bytes));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in "(?s).{0,400}") {
        let _ = parse(id("001-a"), "specs/001-a", "specs/001-a/spec.md", &text);
        let _ = parse_tasks(&text);
        let _ = requirement_ids(&text);
    }

    #[test]
    fn nothing_that_looks_like_a_spec_makes_the_parsers_panic(
        parts in proptest::collection::vec("(- |\\| |# |```|<!--|-->|\\[x\\] |FR-|R-|NFR-|AC-|US|T0|001|\\.|`|::|é|\\n|\\r\\n| to |–|/|\\.rs|\\(|\\)|[a-zA-Z_]{1,4}|MUST |given ){1,3}", 0..60)
    ) {
        let text = parts.concat();
        let spec = parse(id("001-a"), "specs/001-a", "specs/001-a/spec.md", &text);
        proptest::prop_assert!(spec.requirements.iter().all(|r| r.line >= 1 && !r.id.is_empty()));
        for task in parse_tasks(&text) {
            proptest::prop_assert!(!task.id.is_empty() && task.line >= 1);
            proptest::prop_assert!(task.files.iter().all(|f| !f.contains("..") && !f.starts_with('/')));
        }
    }
}
