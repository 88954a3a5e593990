//! A shop of programs in shell: a repository with a commit, tests that can be run in it, and agents that write.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::world::World;

/// Runs every function `test_*` of `tests/*_test.sh`, and names it as libtest does.
const RUNNER: &str = "#!/bin/sh\nred=0\nfor f in tests/*_test.sh; do\n\
    for t in $(sed -n 's/^\\(test_[a-z_]*\\)().*/\\1/p' \"$f\"); do\n\
    if ( . \"./$f\"; $t ) >/dev/null 2>&1; then echo \"test $t ... ok\"; else echo \"test $t ... FAILED\"; red=1; fi\n\
    done\ndone\nexit $red\n";

pub(crate) fn limit(n: u32) -> String {
    format!("src/limit.sh=limit() {{ echo {n}; }}\\n")
}

/// A repository with a program, a test and these files in one commit, always the same one; each writer is the program with
/// its flags, as they stand in a list of TOML.
pub(crate) fn shop_with(program: &Path, writers: &[(&str, &str)], files: &[(&str, &str)]) -> World {
    let world = World::with_spec()
        .file("src/limit.sh", "limit() { echo 5; }\n")
        .file("tests/old_test.sh", "test_old() { . src/limit.sh; [ \"$(limit)\" -ge 5 ]; }\n")
        .file("run_tests.sh", RUNNER);
    files.iter().for_each(|(path, text)| world.write(path, text));
    fs::set_permissions(world.path("run_tests.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    world.git(&["config", "user.name", "Ada"]);
    world.git(&["config", "user.email", "ada@example.org"]);
    world.git(&["add", "-A"]);
    let mut commit = world.command("git");
    commit.args(["commit", "-q", "-m", "first"]);
    commit.env("GIT_AUTHOR_DATE", "@1700000000 +0000").env("GIT_COMMITTER_DATE", "@1700000000 +0000");
    assert!(commit.status().unwrap().success());
    let mut config = "[checks.sh]\nargv = [\"./run_tests.sh\", \"{id}\"]\n\n".to_owned();
    for (name, flags) in writers {
        config.push_str(&format!(
            "[[agents]]\nname = \"{name}\"\nkind = \"command\"\nfamily = \"{name}\"\nretry = {{ max = 0 }}\n\
             writes = [\"implement\"]\ncommand = [{:?}, {}]\n\n",
            program.to_str().unwrap(),
            flags
        ));
    }
    world.write(".dicast/config.toml", config);
    world.dicast(&["trust", "approve"]).exits(0);
    world
}

pub(crate) fn git(world: &World, words: &[&str]) -> String {
    String::from_utf8(world.command("git").args(words).output().unwrap().stdout).unwrap().trim().to_owned()
}
