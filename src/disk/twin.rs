//! A file system in memory that remembers what was synced, for tests: it can lose the rest, fail at the nth operation,
//! and stall a sync.
//!
//! A crash keeps what was synced and, of the rest, what the [`Loss`] says: real disks may write names before bytes, and
//! later blocks before earlier ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Entry, EntryKind, Lockable, Medium, Writing};

/// What a crash leaves of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Everything, and it is durable: the disk had written it all.
    Nothing,
    /// Nothing: names and bytes are as they were last synced.
    All,
    /// Names are there, bytes are not.
    Bytes,
    /// Names are there, and the first half of the bytes.
    Half,
    /// Names and lengths are there; the first half of the bytes was never written.
    Holes,
    /// Bytes are there, names are not.
    Names,
}

impl Loss {
    pub(crate) const ALL: [Loss; 6] = [Loss::Nothing, Loss::All, Loss::Bytes, Loss::Half, Loss::Holes, Loss::Names];
}

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The nth operation happens by half, and nothing answers from then on.
    Dies(u64),
    /// The nth operation fails with this error, and only that one.
    Fails(u64, io::ErrorKind),
    /// Every operation from the nth on fails with this error, until [`Twin::mend`].
    Failing(u64, io::ErrorKind),
}

#[derive(Debug, Clone)]
enum Node {
    File { synced: Vec<u8>, now: Vec<u8> },
    Dir { synced: BTreeMap<String, usize>, now: BTreeMap<String, usize> },
}

#[derive(Debug)]
struct State {
    nodes: Vec<Node>,
    operations: u64,
    fault: Option<Fault>,
    dead: bool,
    stalled: Option<PathBuf>,
    waiting: u64,
    locked: BTreeSet<PathBuf>,
    notes: BTreeMap<PathBuf, String>,
}

/// The file system; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Twin {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Twin {
    pub(crate) fn new() -> Self {
        Self::from(vec![Node::Dir { synced: BTreeMap::new(), now: BTreeMap::new() }])
    }

    fn from(nodes: Vec<Node>) -> Self {
        let state = State {
            nodes,
            operations: 0,
            fault: None,
            dead: false,
            stalled: None,
            waiting: 0,
            locked: BTreeSet::new(),
            notes: BTreeMap::new(),
        };
        Self { shared: Arc::new((Mutex::new(state), Condvar::new())) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn breaks(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    pub(crate) fn mend(&self) {
        self.state().fault = None;
    }

    /// Returns how many operations that change something were asked for.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Makes every sync of a file below `path` wait until [`Twin::release`].
    pub(crate) fn stall(&self, path: &str) {
        self.state().stalled = Some(PathBuf::from(path));
    }

    pub(crate) fn release(&self) {
        self.state().stalled = None;
        self.shared.1.notify_all();
    }

    /// Returns how many syncs wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.state().waiting
    }

    /// Returns the file system as the next start finds it: everything in it is durable, no lock is held.
    pub(crate) fn after(&self, loss: Loss) -> Self {
        let nodes = self.state().nodes.iter().map(|node| survive(node, loss)).collect();
        Self::from(nodes)
    }

    /// Returns the file system as it is when only the process died: what was not synced can still be lost later.
    pub(crate) fn killed(&self) -> Self {
        Self::from(self.state().nodes.clone())
    }

    /// Replaces a file's bytes behind everybody's back.
    pub(crate) fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let node = state.find(Path::new(path)).unwrap();
        if let Node::File { now, .. } = &mut state.nodes[node] {
            change(now);
        }
    }
}

fn survive(node: &Node, loss: Loss) -> Node {
    match node {
        Node::Dir { synced, now } => {
            let names = if matches!(loss, Loss::All | Loss::Names) { synced } else { now };
            Node::Dir { synced: names.clone(), now: names.clone() }
        }
        Node::File { synced, now } => {
            let kept = now.iter().zip(synced).take_while(|(a, b)| a == b).count();
            let half = kept + (now.len() - kept) / 2;
            let bytes = match loss {
                Loss::Nothing | Loss::Names => now.clone(),
                Loss::All | Loss::Bytes => synced.clone(),
                Loss::Half => now[..half].to_vec(),
                Loss::Holes => [&now[..kept], &vec![0; half - kept], &now[half..]].concat(),
            };
            Node::File { synced: bytes.clone(), now: bytes }
        }
    }
}

impl State {
    fn find(&self, path: &Path) -> io::Result<usize> {
        let mut at = 0;
        for part in path.components().filter(|part| matches!(part, Component::Normal(_))) {
            let Node::Dir { now, .. } = &self.nodes[at] else { return Err(io::ErrorKind::NotADirectory.into()) };
            at = *now.get(&part.as_os_str().to_string_lossy().into_owned()).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    fn names(&mut self, path: &Path) -> io::Result<(&mut BTreeMap<String, usize>, String)> {
        let folder = self.find(path.parent().unwrap())?;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match &mut self.nodes[folder] {
            Node::Dir { now, .. } => Ok((now, name)),
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<usize> {
        let id = self.nodes.len();
        let (names, name) = self.names(path)?;
        if names.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        names.insert(name, id);
        self.nodes.push(node);
        Ok(id)
    }

    /// Counts an operation. `Ok(true)`: it happens whole. `Ok(false)`: it happens by half, then the disk is dead.
    fn step(&mut self) -> io::Result<bool> {
        if self.dead {
            return Err(io::Error::other("the machine is off"));
        }
        self.operations += 1;
        match self.fault {
            Some(Fault::Dies(n)) if n == self.operations => {
                self.dead = true;
                Ok(false)
            }
            Some(Fault::Fails(n, kind)) if n == self.operations => Err(kind.into()),
            Some(Fault::Failing(n, kind)) if n <= self.operations => Err(kind.into()),
            Some(_) | None => Ok(true),
        }
    }

    /// An operation that happens whole or not at all.
    fn whole(&mut self) -> io::Result<()> {
        if self.step()? { Ok(()) } else { Err(io::Error::other("the machine went off")) }
    }
}

impl Medium for Twin {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Writing>> {
        let mut state = self.state();
        state.whole()?;
        let node = state.add(path, Node::File { synced: Vec::new(), now: Vec::new() })?;
        Ok(Box::new(TwinFile { twin: self.clone(), node, path: path.to_owned() }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Writing>> {
        let state = self.state();
        let node = state.find(path)?;
        Ok(Box::new(TwinFile { twin: self.clone(), node, path: path.to_owned() }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        let state = self.state();
        match &state.nodes[state.find(path)?] {
            Node::File { now, .. } => Ok(Box::new(io::Cursor::new(now.clone()))),
            Node::Dir { .. } => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn open_at(&self, path: &Path, from: u64) -> io::Result<Box<dyn Read>> {
        let mut file = self.open(path)?;
        io::copy(&mut file.by_ref().take(from), &mut io::sink())?;
        Ok(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        let node = state.find(from)?;
        let (names, name) = state.names(to)?;
        names.insert(name, node);
        let (names, name) = state.names(from)?;
        names.remove(&name);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        let (names, name) = state.names(path)?;
        names.remove(&name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        let node = state.find(path)?;
        match &state.nodes[node] {
            Node::File { .. } => return Err(io::ErrorKind::NotADirectory.into()),
            Node::Dir { now, .. } if !now.is_empty() => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
            Node::Dir { .. } => {}
        }
        let (names, name) = state.names(path)?;
        names.remove(&name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        match &state.nodes[state.find(path)?] {
            Node::File { now, .. } => Ok(now.len() as u64),
            Node::Dir { .. } => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.whole()?;
        state.add(path, Node::Dir { synced: BTreeMap::new(), now: BTreeMap::new() }).map(|_| ())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        let node = state.find(path)?;
        if let Node::Dir { synced, now } = &mut state.nodes[node] {
            synced.clone_from(now);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.state();
        let Node::Dir { now, .. } = &state.nodes[state.find(path)?] else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        let entry = |(name, node): (&String, &usize)| Entry {
            name: name.clone(),
            kind: match &state.nodes[*node] {
                Node::File { .. } => EntryKind::File,
                Node::Dir { .. } => EntryKind::Dir,
            },
        };
        Ok(now.iter().map(entry).collect())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lockable>> {
        self.state().find(path.parent().unwrap())?;
        Ok(Box::new(TwinLock { twin: self.clone(), path: path.to_owned(), holds: false }))
    }
}

#[derive(Debug)]
struct TwinFile {
    twin: Twin,
    node: usize,
    path: PathBuf,
}

impl TwinFile {
    fn sync(&self) -> io::Result<()> {
        let mut state = self.twin.state();
        while state.stalled.as_ref().is_some_and(|path| self.path.starts_with(path)) {
            state.waiting += 1;
            state = self.twin.shared.1.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.whole()?;
        if let Node::File { synced, now } = &mut state.nodes[self.node] {
            synced.clone_from(now);
        }
        Ok(())
    }
}

impl Writing for TwinFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.twin.state();
        let stepped = state.step();
        let written = if matches!(stepped, Ok(true)) { bytes } else { &bytes[..bytes.len() / 2] };
        // A dead machine writes nothing more; a full or failing one a part.
        if !(state.dead && stepped.is_err())
            && let Node::File { now, .. } = &mut state.nodes[self.node]
        {
            now.extend_from_slice(written);
        }
        if stepped? { Ok(()) } else { Err(io::Error::other("the machine went off")) }
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        let mut state = self.twin.state();
        state.whole()?;
        if let Node::File { now, .. } = &mut state.nodes[self.node] {
            now.truncate(usize::try_from(bytes).unwrap());
        }
        Ok(())
    }
}

#[derive(Debug)]
struct TwinLock {
    twin: Twin,
    path: PathBuf,
    holds: bool,
}

impl Lockable for TwinLock {
    fn try_lock(&mut self) -> io::Result<bool> {
        self.holds = self.twin.state().locked.insert(self.path.clone());
        Ok(self.holds)
    }

    fn unlock(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.holds) {
            self.twin.state().locked.remove(&self.path);
        }
        Ok(())
    }

    fn note(&mut self) -> io::Result<String> {
        Ok(self.twin.state().notes.get(&self.path).cloned().unwrap_or_default())
    }

    fn set_note(&mut self, note: &str) -> io::Result<()> {
        self.twin.state().notes.insert(self.path.clone(), note.to_owned());
        Ok(())
    }
}

mod tests {
    use super::*;
    use crate::disk::Store;

    #[test]
    fn the_twin_loses_what_was_not_synced() {
        let twin = Twin::new();
        let mut file = twin.create(Path::new("a")).unwrap();
        file.write_all(b"12345678").unwrap();
        let reads = |loss| {
            let mut bytes = Vec::new();
            twin.after(loss).open(Path::new("a")).ok()?.read_to_end(&mut bytes).unwrap();
            Some(bytes)
        };
        assert_eq!(reads(Loss::All), None, "a name that was not synced is gone");
        assert_eq!(reads(Loss::Names), None);
        assert_eq!(reads(Loss::Bytes).unwrap(), b"");
        assert_eq!(reads(Loss::Half).unwrap(), b"1234");
        assert_eq!(reads(Loss::Holes).unwrap(), b"\0\0\0\x005678");
        file.sync_all().unwrap();
        assert_eq!(reads(Loss::All), None, "syncing a file does not sync its name");
        twin.sync_dir(Path::new("")).unwrap();
        assert_eq!(reads(Loss::All).unwrap(), b"12345678");
    }

    #[test]
    fn a_replaced_file_is_the_old_or_the_new_one_after_a_crash_at_any_operation() {
        for loss in Loss::ALL {
            for n in 1.. {
                let twin = Twin::new();
                let store = Store::new(Arc::new(twin.clone()), "");
                store.replace("a", b"the old one").unwrap();
                let before = twin.operations();
                twin.breaks(Fault::Dies(before + n));
                let outcome = store.replace("a", b"the new one, which is longer");
                let found = Store::new(Arc::new(twin.after(loss)), "").read("a", 100).unwrap().unwrap();
                match outcome {
                    Ok(()) => {
                        assert_eq!(found, b"the new one, which is longer", "{loss:?} {n}");
                        break;
                    }
                    Err(_) => assert!(found == b"the old one" || found.ends_with(b"longer"), "{loss:?} {n}"),
                }
                assert!(!found.contains(&0), "{loss:?} {n}");
            }
        }
    }
}
