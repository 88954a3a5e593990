//! The sample project that `dicast demo` works on, carried inside the program.
//!
//! It must not know what the demo does with it. The files live in `examples/sample`; the manifest is kept as
//! `Cargo.toml.in`, because cargo leaves folders with a manifest of their own out of a package.

/// The sample's files: path and text, in order of path.
const FILES: &[(&str, &str)] = &[
    (".gitignore", include_str!("../../examples/sample/.gitignore")),
    (".specify/memory/constitution.md", include_str!("../../examples/sample/.specify/memory/constitution.md")),
    ("AGENTS.md", include_str!("../../examples/sample/AGENTS.md")),
    ("Cargo.toml", include_str!("../../examples/sample/Cargo.toml.in")),
    ("README.md", include_str!("../../examples/sample/README.md")),
    ("docs/operations.md", include_str!("../../examples/sample/docs/operations.md")),
    ("specs/001-key-value-store/plan.md", include_str!("../../examples/sample/specs/001-key-value-store/plan.md")),
    ("specs/001-key-value-store/spec.md", include_str!("../../examples/sample/specs/001-key-value-store/spec.md")),
    ("specs/001-key-value-store/tasks.md", include_str!("../../examples/sample/specs/001-key-value-store/tasks.md")),
    ("specs/002-audit-log/plan.md", include_str!("../../examples/sample/specs/002-audit-log/plan.md")),
    ("specs/002-audit-log/spec.md", include_str!("../../examples/sample/specs/002-audit-log/spec.md")),
    ("specs/002-audit-log/tasks.md", include_str!("../../examples/sample/specs/002-audit-log/tasks.md")),
    ("specs/003-rate-limiter/spec.md", include_str!("../../examples/sample/specs/003-rate-limiter/spec.md")),
    ("src/audit.rs", include_str!("../../examples/sample/src/audit.rs")),
    ("src/http.rs", include_str!("../../examples/sample/src/http.rs")),
    ("src/lib.rs", include_str!("../../examples/sample/src/lib.rs")),
    ("src/limiter.rs", include_str!("../../examples/sample/src/limiter.rs")),
    ("src/main.rs", include_str!("../../examples/sample/src/main.rs")),
    ("src/store.rs", include_str!("../../examples/sample/src/store.rs")),
    ("tests/http.rs", include_str!("../../examples/sample/tests/http.rs")),
    ("tests/limiter.rs", include_str!("../../examples/sample/tests/limiter.rs")),
    ("tests/store.rs", include_str!("../../examples/sample/tests/store.rs")),
];

/// Returns the sample's files: path, with `/` between parts, and text.
pub fn files() -> &'static [(&'static str, &'static str)] {
    FILES
}
