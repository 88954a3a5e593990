//! Reads single files of a repository for somebody who asks for them by path: what git would list, no link, nothing that
//! looks like a place for secrets, and nothing outside, whatever the path says.
//!
//! It must not know who asks, nor what the files mean.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::walk::{APART, listed};

/// Largest file that is read or searched, in bytes: more than any hand-written one.
const FILE_MAX: u64 = 2 << 20;

/// Most bytes that one search looks through.
const SEARCH_MAX: u64 = 64 << 20;

/// Most files that are listed at once.
const FILES_MAX: usize = 600;

/// Most lines that a search finds.
const HITS_MAX: usize = 120;

/// Longest excerpt of a line that a search shows, in characters.
const EXCERPT: usize = 240;

/// Names of files that hold secrets, tracked or not: `*` stands for any letters at one end.
const SECRET: [&str; 13] = [
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.keystore",
    "id_rsa*",
    "id_ed25519*",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
];

/// Names that look like those and are there to be read.
const HARMLESS: [&str; 3] = [".env.example", ".env.sample", ".env.template"];

/// A repository that may be looked into.
#[derive(Debug, Clone)]
pub struct Jail {
    root: PathBuf,
}

/// Why nothing is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// It leads out of the repository.
    #[error("{0} is not inside the repository")]
    Outside(String),
    /// There is no such file or folder, or git ignores it, or it is a link or a place for secrets.
    #[error("there is no file or folder {0} that may be read")]
    Nothing(String),
    /// It is too large.
    #[error("{0} is larger than 2 MiB")]
    TooLarge(String),
    /// It is no text.
    #[error("{0} is no text")]
    NoText(String),
}

/// Tells whether a path that may not be there yet is inside a folder once every link on it is followed, and is nothing of
/// git's own.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn holds(folder: &Path, path: &Path) -> bool {
    let goes_up = path.components().any(|part| part == Component::ParentDir);
    // The deepest part of it that is there, a link that leads nowhere too.
    let there = path.ancestors().find(|part| part.symlink_metadata().is_ok());
    let (Some(there), Ok(folder), false) = (there, folder.canonicalize(), goes_up) else { return false };
    let (Ok(real), Ok(new)) = (there.canonicalize(), path.strip_prefix(there)) else { return false };
    let is_gits = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
    let inside = real.strip_prefix(&folder).map(|old| old.join(new));
    inside.is_ok_and(|inside| inside.components().next().is_some() && !inside.components().any(is_gits))
}

impl Jail {
    /// Makes the jail of a repository.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Lists the files below a folder; an empty one is the whole repository. The second tells whether there are more.
    ///
    /// # Errors
    /// [`Withheld`] if the folder may not be looked into.
    pub fn list(&self, folder: &str) -> Result<(Vec<String>, bool), Withheld> {
        let mut files = self.files(&inside(folder)?);
        let mut found: Vec<String> = files.by_ref().take(FILES_MAX).collect();
        match found.is_empty() && !inside(folder)?.as_os_str().is_empty() {
            true => Err(Withheld::Nothing(folder.to_owned())),
            false => {
                let has_more = files.next().is_some();
                found.sort();
                Ok((found, has_more))
            }
        }
    }

    /// Reads a text file.
    ///
    /// # Errors
    /// [`Withheld`] if it may not be read, or cannot.
    pub fn read(&self, path: &str) -> Result<String, Withheld> {
        let wanted = inside(path)?;
        let nothing = || Withheld::Nothing(path.to_owned());
        if wanted.as_os_str().is_empty() || !self.files(&wanted).any(|file| Path::new(&file) == wanted) {
            return Err(nothing());
        }
        let bytes = self.bytes(&wanted).map_err(|_| nothing())?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(Withheld::TooLarge(path.to_owned()));
        }
        match bytes.contains(&0) {
            true => Err(Withheld::NoText(path.to_owned())),
            false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Finds the lines that hold a text, as `path:line: excerpt`. The second tells whether there may be more. `clean` takes
    /// secrets out of a whole file before anything is cut from it; `stopped` is asked between files.
    ///
    /// # Errors
    /// [`Withheld`] if the place may not be looked into.
    pub fn search(
        &self,
        text: &str,
        within: &str,
        clean: &dyn Fn(&str) -> String,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(Vec<String>, bool), Withheld> {
        let ignores_case = !text.chars().any(char::is_uppercase);
        let wanted = if ignores_case { text.to_lowercase() } else { text.to_owned() };
        let has =
            |text: &str| if ignores_case { text.to_lowercase().contains(&wanted) } else { text.contains(&wanted) };
        let mut hits = Vec::new();
        let mut looked = 0;
        let mut is_there = false;
        for path in self.files(&inside(within)?) {
            is_there = true;
            if stopped() || looked > SEARCH_MAX {
                return Ok((hits, true));
            }
            let Ok(bytes) = self.bytes(Path::new(&path)) else { continue };
            looked += bytes.len() as u64;
            if bytes.len() as u64 > FILE_MAX || bytes.contains(&0) {
                continue;
            }
            let whole = String::from_utf8_lossy(&bytes);
            if !has(&whole) {
                continue;
            }
            for (at, line) in clean(&whole).lines().enumerate().filter(|(_, line)| has(line)) {
                if hits.len() == HITS_MAX {
                    return Ok((hits, true));
                }
                let excerpt: String = line.trim().chars().take(EXCERPT).collect();
                hits.push(format!("{path}:{}: {excerpt}", at + 1));
            }
        }
        match is_there || within.is_empty() {
            true => Ok((hits, false)),
            false => Err(Withheld::Nothing(within.to_owned())),
        }
    }

    /// Walks to a path and through all below it.
    fn files(&self, below: &Path) -> impl Iterator<Item = String> + use<> {
        let (root, below) = (self.root.clone(), below.to_owned());
        let walk = listed(&self.root)
            .filter_entry(move |entry| {
                let Ok(path) = entry.path().strip_prefix(&root) else { return false };
                let is_on_way = below.starts_with(path) || path.starts_with(&below);
                is_on_way && entry.file_name().to_str().is_some_and(|name| entry.depth() == 0 || is_open(name))
            })
            .build();
        let root = self.root.clone();
        walk.filter_map(move |entry| {
            let entry = entry.ok()?;
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            let path = entry.path().strip_prefix(&root).ok()?.to_str()?;
            is_file.then(|| path.to_owned())
        })
    }

    /// Opens each folder on the way without following a link: what the walk has seen may have become one since.
    fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut at = rustix::fs::open(&self.root, flags | OFlags::DIRECTORY, Mode::empty())?;
        for part in path.components() {
            // Never to wait for the writer of a pipe.
            at = rustix::fs::openat(&at, part.as_os_str(), flags | OFlags::NOFOLLOW | OFlags::NONBLOCK, Mode::empty())?;
        }
        let file = File::from(at);
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        // One byte more than allowed tells a file that is too large.
        file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Reads a path as asked for: relative, without a way up.
fn inside(path: &str) -> Result<PathBuf, Withheld> {
    let mut clean = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => {
                return Err(Withheld::Outside(path.to_owned()));
            }
        }
    }
    if path.contains('\0') { Err(Withheld::Outside("it".to_owned())) } else { Ok(clean) }
}

/// Tells whether what has this name may be seen.
fn is_open(name: &str) -> bool {
    let lower = name.to_lowercase();
    let fits = |pattern: &str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => lower.ends_with(end),
        (None, Some(start)) => lower.starts_with(start),
        (None, None) => lower == pattern,
    };
    !APART.contains(&name) && (HARMLESS.contains(&lower.as_str()) || !SECRET.iter().any(|pattern| fits(pattern)))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make the files that are read")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A repository beside a secret, with every way to it that one could think of.
    fn world() -> (tempfile::TempDir, Jail) {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &[u8]| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("secret.txt", b"the password is swordfish");
        write("outside/deep.txt", b"swordfish");
        write("repo/src/a.rs", b"fn Alpha() {}\n// alpha beta\n");
        write("repo/docs/x.md", b"alpha\n");
        write("repo/.gitignore", b"/target\n*.log\n");
        write("repo/src/.gitignore", b"made.rs\n");
        for hidden in [
            "target/x.rs",
            "a.log",
            "src/made.rs",
            ".git/config",
            ".dicast/evidence/ada.json",
            "node_modules/m/i.js",
            ".env",
            "src/.env.local",
            "deploy/server.KEY",
            "id_rsa",
        ] {
            write(&format!("repo/{hidden}"), b"alpha swordfish");
        }
        write("repo/.env.example", b"NAME=\n");
        write("repo/image.png", b"\x89\0alpha");
        write("repo/large.txt", &vec![b'a'; usize::try_from(FILE_MAX).unwrap() + 1]);
        symlink("../secret.txt", folder.path().join("repo/link.txt")).unwrap();
        symlink("../../outside", folder.path().join("repo/src/way")).unwrap();
        symlink("/", folder.path().join("repo/root")).unwrap();
        symlink("src/a.rs", folder.path().join("repo/own-link.rs")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("repo/pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let jail = Jail::new(folder.path().join("repo"));
        (folder, jail)
    }

    #[test]
    fn a_folder_holds_what_is_in_it_once_links_are_followed_and_nothing_of_gits() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, out) = (folder.path().join("tree"), folder.path().join("out"));
        for made in [tree.join("src"), tree.join(".git"), out.clone()] {
            fs::create_dir_all(made).unwrap();
        }
        fs::write(tree.join("src/a"), "x").unwrap();
        symlink(&out, tree.join("away")).unwrap();
        symlink(out.join("new"), tree.join("nowhere")).unwrap();
        symlink("src", tree.join("near")).unwrap();
        symlink(&tree, folder.path().join("alias")).unwrap();
        for inside in ["src/a", "src/new", "new/deep/er", "near/a"] {
            assert!(holds(&tree, &tree.join(inside)), "{inside}");
        }
        assert!(holds(&folder.path().join("alias"), &tree.join("src/a")));
        for outside in
            ["", "../out/x", "src/../../out", "away/x", "nowhere", ".git", ".git/config", ".GIT/hooks/x", "src/.git"]
        {
            assert!(!holds(&tree, &tree.join(outside)), "{outside}");
        }
        assert!(!holds(&tree, &out.join("x")) && !holds(&tree, Path::new("/etc/passwd")));
    }

    #[test]
    fn no_path_leads_out_or_to_what_is_not_for_everybody() {
        let (folder, jail) = world();
        let absolute = folder.path().join("secret.txt");
        let asked = [
            "../secret.txt",
            "src/../../secret.txt",
            "/etc/passwd",
            absolute.to_str().unwrap(),
            "link.txt",
            "src/way/deep.txt",
            "root/etc/passwd",
            "own-link.rs",
            "target/x.rs",
            "a.log",
            "src/made.rs",
            ".git/config",
            ".dicast/evidence/ada.json",
            "node_modules/m/i.js",
            ".env",
            "src/.env.local",
            "deploy/server.KEY",
            "id_rsa",
            "pipe",
            "src",
            "",
            "nope",
            "a\0b",
        ];
        for path in asked {
            assert!(jail.read(path).is_err(), "{path}");
        }
        for folder in ["..", "/", "src/way", "root/etc", ".git", "target", "nope"] {
            assert!(jail.list(folder).is_err(), "{folder}");
            assert!(jail.search("swordfish", folder, &str::to_owned, &|| false).is_err(), "{folder}");
        }
        assert_eq!(jail.search("swordfish", "", &str::to_owned, &|| false).unwrap(), (Vec::new(), false));
    }

    #[test]
    fn what_git_would_list_is_read_listed_and_found() {
        let (_folder, jail) = world();
        let (all, has_more) = jail.list("").unwrap();
        assert_eq!(
            all,
            [".env.example", ".gitignore", "docs/x.md", "image.png", "large.txt", "src/.gitignore", "src/a.rs"]
        );
        assert!(!has_more);
        assert_eq!(jail.list("./src/").unwrap().0, ["src/.gitignore", "src/a.rs"]);
        assert_eq!(jail.read("./src/a.rs").unwrap(), "fn Alpha() {}\n// alpha beta\n");
        assert_eq!(jail.read("large.txt"), Err(Withheld::TooLarge("large.txt".into())));
        assert_eq!(jail.read("image.png"), Err(Withheld::NoText("image.png".into())));
        let found = |text: &str, within: &str| jail.search(text, within, &str::to_owned, &|| false).unwrap().0;
        assert_eq!(
            found("alpha", ""),
            ["docs/x.md:1: alpha", "src/a.rs:1: fn Alpha() {}", "src/a.rs:2: // alpha beta"]
        );
        assert_eq!(found("Alpha", "src"), ["src/a.rs:1: fn Alpha() {}"]);
        assert_eq!(jail.search("alpha", "", &str::to_owned, &|| true).unwrap(), (Vec::new(), true));
    }

    #[test]
    fn a_flood_of_files_or_lines_is_cut_and_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..=FILES_MAX {
            fs::write(folder.path().join(format!("f{n:04}")), "x\n").unwrap();
        }
        let jail = Jail::new(folder.path().to_owned());
        let (files, has_more) = jail.list("").unwrap();
        assert_eq!((files.len(), has_more), (FILES_MAX, true));
        let (hits, has_more) = jail.search("x", "", &str::to_owned, &|| false).unwrap();
        assert_eq!((hits.len(), has_more), (HITS_MAX, true));
    }
}
