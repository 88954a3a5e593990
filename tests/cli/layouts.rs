//! Folders that other tools made: Dicast works in them and leaves what it finds there as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::runs::panel_of;
use super::world::World;

/// One spec of each layout, with documents of its own that a stage would publish.
const SPECS: [&str; 3] = ["001-magic-link", "SPEC-OPS-012", "add-two-factor"];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a folder that git sees, by path.
fn files(world: &World) -> BTreeMap<String, Vec<u8>> {
    let listed = world.command("git").args(["ls-files", "-co", "--exclude-standard"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().map(|path| (path.to_owned(), fs::read(world.path(path)).unwrap())).collect()
}

#[test]
#[ignore = "slow: nine runs; .ci/run runs it"]
fn stages_and_gates_in_the_folders_of_other_tools_change_no_byte_that_was_there() {
    let world = World::with_spec();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats"), &world.path(""));
    world.write("docs/SPEC-OPS-012-deploy/plan.md", "# By hand\n");
    world.write("openspec/changes/add-two-factor/plan.md", "# By hand\n");
    panel_of(&world, &[("ann", &[]), ("bob", &[])]);
    world.dicast(&["trust", "approve"]).exits(0);
    let before = files(&world);
    for spec in SPECS {
        for gate in ["clarify", "checklist", "analyze"] {
            world.dicast(&[gate, spec]);
        }
        for stage in ["plan", "tasks", "validate"] {
            let said = world.dicast(&[stage, spec]);
            assert_ne!((said.code, stage), (64, "plan"), "{spec}: {}", said.err);
        }
        world.dicast(&["report", spec]);
    }
    let after = files(&world);
    for (path, bytes) in &before {
        assert!(after.get(path) == Some(bytes), "{path} was changed");
    }
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    for spec in ["specs/001-magic-link", "docs/SPEC-OPS-012-deploy", "openspec/changes/add-two-factor"] {
        let published = new.iter().any(|path| path.starts_with(spec) && path.contains("plan.dicast-new.md"));
        assert!(published, "ours is beside the plan of {spec}: {new:?}");
    }
}
