//! The command line from the outside: the real binary, temporary homes and repositories, exit codes and bytes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it makes files and starts the program as a user does"
)]

#[path = "cli/world.rs"]
mod world;

#[path = "support/shop.rs"]
mod shop;

#[path = "cli/first_steps.rs"]
mod first_steps;

#[path = "cli/records.rs"]
mod records;

#[path = "cli/config.rs"]
mod config;

#[path = "cli/bad_input.rs"]
mod bad_input;

#[path = "cli/runs.rs"]
mod runs;

#[path = "cli/secrets.rs"]
mod secrets;

#[path = "cli/watching.rs"]
mod watching;

#[path = "cli/candidates.rs"]
mod candidates;

#[path = "cli/statuses.rs"]
mod statuses;

#[path = "cli/back.rs"]
mod back;

#[path = "cli/round.rs"]
mod round;

#[path = "cli/clones.rs"]
mod clones;

#[path = "cli/ranges.rs"]
mod ranges;

#[path = "cli/children.rs"]
mod children;

#[path = "cli/layouts.rs"]
mod layouts;

#[path = "cli/keeping.rs"]
mod keeping;

#[path = "cli/money.rs"]
mod money;

#[path = "cli/ledger.rs"]
mod ledger;

#[path = "cli/looking.rs"]
mod looking;

#[path = "cli/gates.rs"]
mod gates;

#[path = "cli/specify.rs"]
mod specify;

#[path = "cli/reports.rs"]
mod reports;

#[path = "cli/memory.rs"]
mod memory;

#[path = "cli/merging.rs"]
mod merging;

#[path = "cli/spec_kit.rs"]
mod spec_kit;

#[path = "cli/guardrails.rs"]
mod guardrails;
