//! Reads transcripts for the screen: windows of lines, wrapped to the width asked for, and where words occur.
//!
//! It owns an index per transcript and must not know who writes them (the agents actor does) nor how a page is drawn.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{MAILBOX, Promise, Reply, Scope, Waker, post};
use crate::disk::lines::Index;
use crate::domain::failure::Failure;
use crate::domain::safe::Safe;
use crate::domain::transcript::{Anchor, MATCHES_MAX, Page, PageRequest, Row, path_of, wrap};

/// Transcripts whose index is kept: more than one screen of agents; the one not read for longest goes first.
const INDEXES: usize = 32;

/// Asks for pages; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    mailbox: mpsc::Sender<Command>,
    waker: Waker,
    cancel: CancellationToken,
}

impl Handle {
    /// Reads a page of a transcript. One that does not exist yet is an empty page.
    pub fn page(&self, request: PageRequest) -> Reply<Page> {
        let cancel = self.cancel.clone();
        post("transcript", &self.mailbox, &self.waker, |promise| Command::Page { request, cancel, promise })
    }
}

enum Command {
    Page { request: PageRequest, cancel: CancellationToken, promise: Promise<Page> },
}

/// Starts the actor over the folder of all transcripts.
pub fn spawn(scope: &Scope, folder: PathBuf) -> Handle {
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    scope.spawn(run(scope.clone(), commands, folder));
    Handle { mailbox, waker: scope.waker().clone(), cancel: scope.cancel.clone() }
}

async fn run(scope: Scope, mut mailbox: mpsc::Receiver<Command>, folder: PathBuf) {
    let mut shelf = Shelf::default();
    while let Some(Some(command)) = scope.cancel.run_until_cancelled(mailbox.recv()).await {
        match command {
            Command::Page { request, cancel, promise } => {
                let path = folder.join(path_of(&request.seat));
                let known = shelf.find(&path);
                let read = scope.spawn_blocking(move || {
                    // A reader that panicked left a half-made index behind at worst: the next extend goes on from it.
                    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                    read_page(&mut known, &path, request)
                });
                scope.answer(cancel, promise, async move {
                    read.await.unwrap_or_else(|_| Err(Failure::ActorGone { actor: "transcript".into() }))
                });
            }
        }
    }
}

/// What is known of the transcripts read lately, the latest last.
#[derive(Debug, Default)]
struct Shelf {
    known: Vec<(PathBuf, Arc<Mutex<Known>>)>,
}

impl Shelf {
    fn find(&mut self, path: &Path) -> Arc<Mutex<Known>> {
        let entry = match self.known.iter().position(|(known, _)| known == path) {
            Some(at) => self.known.remove(at),
            None => (path.to_owned(), Arc::default()),
        };
        let known = Arc::clone(&entry.1);
        self.known.push(entry);
        if self.known.len() > INDEXES {
            self.known.remove(0);
        }
        known
    }
}

/// What is known of one transcript.
#[derive(Debug, Default)]
struct Known {
    index: Index,
    search: Search,
}

/// Where the words looked for last occur, as far as the transcript was searched.
#[derive(Debug, Default)]
struct Search {
    words: String,
    next: u64,
    matches: Vec<u64>,
    count: u64,
}

fn read_page(known: &mut Known, path: &Path, request: PageRequest) -> Result<Page, Failure> {
    known.index.extend(path)?;
    let index = &known.index;
    let (total, height) = (index.lines(), usize::from(request.height));
    let window = match request.from {
        Anchor::Tail => None,
        Anchor::Line(line) => rows_from(index, path, line, request.width, height)?,
    };
    let (rows, at_end) = match window {
        Some(found) => found,
        None => (tail(index, path, request.width, height)?, height > 0 || total == 0),
    };
    known.search.go_on(&known.index, path, request.search.as_deref())?;
    Ok(Page {
        first: rows.first().map_or(total, |row| row.line),
        rows,
        total,
        at_end,
        matches: known.search.matches.clone(),
        match_count: known.search.count,
        seat: request.seat,
    })
}

fn rows_of(number: u64, line: &str, width: u16) -> impl Iterator<Item = Row> {
    wrap(line, width).into_iter().enumerate().map(move |(part, text)| Row {
        line: number,
        is_continued: part > 0,
        text: Safe::line(text),
    })
}

/// Reads the rows from the first of line `first` on, and whether the last of them is the transcript's last; `None` if
/// they do not fill the page.
fn rows_from(
    index: &Index,
    path: &Path,
    first: u64,
    width: u16,
    height: usize,
) -> Result<Option<(Vec<Row>, bool)>, Failure> {
    let mut rows = Vec::new();
    index.each(path, first, |number, line| {
        rows.extend(rows_of(number, line, width));
        rows.len() < height
    })?;
    if rows.len() < height {
        return Ok(None);
    }
    let at_end = rows.len() == height && rows.last().is_some_and(|row| row.line + 1 == index.lines());
    rows.truncate(height);
    Ok(Some((rows, at_end)))
}

/// Reads the last rows: every line is a row at least, so the last `height` lines hold them all.
fn tail(index: &Index, path: &Path, width: u16, height: usize) -> Result<Vec<Row>, Failure> {
    let first = index.lines().saturating_sub(height as u64);
    let mut rows = Vec::new();
    for (number, line) in (first..).zip(index.read(path, first, height)?) {
        rows.extend(rows_of(number, &line, width));
    }
    rows.drain(..rows.len().saturating_sub(height));
    Ok(rows)
}

impl Search {
    /// Searches what was not searched yet; starts anew for other words.
    fn go_on(&mut self, index: &Index, path: &Path, words: Option<&str>) -> Result<(), Failure> {
        let words = words.unwrap_or_default().to_lowercase();
        if words != self.words || index.lines() < self.next {
            *self = Self { words, ..Self::default() };
        }
        if self.words.is_empty() {
            return Ok(());
        }
        let next = self.next;
        index.each(path, next, |number, line| {
            if line.to_lowercase().contains(&self.words) {
                self.count += 1;
                if self.matches.len() < MATCHES_MAX {
                    self.matches.push(number);
                }
            }
            self.next = number + 1;
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::lines::Appender;
    use crate::domain::ids::{AgentName, RunId};
    use crate::domain::moment::Moment;
    use crate::domain::run::SeatKey;
    use crate::domain::stage::Stage;

    struct Desk {
        folder: tempfile::TempDir,
        known: Known,
    }

    impl Desk {
        fn with(lines: &str) -> Self {
            let desk = Self { folder: tempfile::tempdir().unwrap(), known: Known::default() };
            desk.add(lines);
            desk
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("x.log")
        }

        fn add(&self, lines: &str) {
            Appender::open(&self.path(), 1 << 20).unwrap().append(lines.as_bytes()).unwrap();
        }

        fn page(&mut self, from: Anchor, height: u16, search: Option<&str>) -> Page {
            let seat = SeatKey {
                run: RunId::mint(Moment(1), 1, 0),
                stage: Stage::Plan,
                attempt: 1,
                agent: AgentName::new("a").unwrap(),
            };
            let request = PageRequest { seat, width: 10, height, from, search: search.map(str::to_owned) };
            let path = self.path();
            read_page(&mut self.known, &path, request).unwrap()
        }
    }

    fn texts(page: &Page) -> Vec<&str> {
        page.rows.iter().map(|row| row.text.as_str()).collect()
    }

    #[test]
    fn a_page_is_full_wrapped_and_knows_where_it_is() {
        let mut desk = Desk::with("zero\none is a long line\ntwo\n\nfour\u{1b}[2J\n");
        let page = desk.page(Anchor::Line(1), 3, None);
        assert_eq!(texts(&page), ["one is a ", "long line", "two"]);
        assert_eq!((page.first, page.total, page.at_end), (1, 5, false));
        assert!(page.rows[1].is_continued && !page.rows[2].is_continued);
        let page = desk.page(Anchor::Line(3), 2, None);
        assert_eq!((texts(&page), page.at_end), (vec!["", "four␛[2J"], true));
        assert_eq!(desk.page(Anchor::Line(4), 3, None), desk.page(Anchor::Tail, 3, None));
        assert_eq!(desk.page(Anchor::Line(99), 9, None).rows.len(), 6);
    }

    #[test]
    fn the_tail_follows_and_a_long_last_line_shows_its_end() {
        let mut desk = Desk::with("a\n");
        assert_eq!(texts(&desk.page(Anchor::Tail, 2, None)), ["a"]);
        desk.add("1234567890abcdefghij!\n");
        let page = desk.page(Anchor::Tail, 2, None);
        assert_eq!((texts(&page), page.at_end), (vec!["abcdefghij", "!"], true));
        let page = desk.page(Anchor::Line(1), 2, None);
        assert_eq!((texts(&page), page.at_end), (vec!["1234567890", "abcdefghij"], false));
    }

    #[test]
    fn words_are_found_in_any_case_and_in_what_comes_later() {
        let mut desk = Desk::with("Pool\nx\nthe pool\n");
        assert_eq!(desk.page(Anchor::Tail, 1, Some("POOL")).matches, [0, 2]);
        desk.add("pool\n");
        assert_eq!(desk.page(Anchor::Tail, 1, Some("pool")).matches, [0, 2, 3]);
        assert_eq!(desk.page(Anchor::Tail, 1, Some("x")).matches, [1]);
        assert_eq!(desk.page(Anchor::Tail, 1, None).match_count, 0);
    }

    #[test]
    fn a_transcript_that_is_not_there_is_an_empty_page() {
        let mut desk = Desk { folder: tempfile::tempdir().unwrap(), known: Known::default() };
        let page = desk.page(Anchor::Tail, 5, Some("x"));
        assert_eq!((page.rows.len(), page.total, page.at_end), (0, 0, true));
    }
}
