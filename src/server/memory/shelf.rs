//! Memories in SQLite, with full-text search (FTS5).
//!
//! It must not know MCP. Several processes may use one file: write-ahead log, immediate transactions, and a wait for
//! the lock.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, TransactionBehavior, params, params_from_iter};
use serde::Serialize;

/// How long a write waits for another process's write. Ours take milliseconds each.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How often a busy file is opened again, and the pause between: together as long as [`LOCK_WAIT`].
const OPENINGS: u32 = 250;
const OPENING_PAUSE: Duration = Duration::from_millis(20);

/// Version of the tables, kept in the file's `user_version`.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE memory (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT UNIQUE,
    content TEXT NOT NULL,
    domain TEXT,
    importance INTEGER,
    stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE tag (
    name TEXT NOT NULL,
    memory INTEGER NOT NULL REFERENCES memory(id) ON DELETE CASCADE,
    PRIMARY KEY (name, memory)
) WITHOUT ROWID;
CREATE INDEX tag_of_memory ON tag(memory);
CREATE VIRTUAL TABLE words USING fts5(content, content='memory', content_rowid='id', tokenize='unicode61');
CREATE TRIGGER memory_added AFTER INSERT ON memory BEGIN
    INSERT INTO words(rowid, content) VALUES (new.id, new.content);
END;
CREATE TRIGGER memory_removed AFTER DELETE ON memory BEGIN
    INSERT INTO words(words, rowid, content) VALUES ('delete', old.id, old.content);
END;
CREATE TRIGGER memory_changed AFTER UPDATE ON memory BEGIN
    INSERT INTO words(words, rowid, content) VALUES ('delete', old.id, old.content);
    INSERT INTO words(rowid, content) VALUES (new.id, new.content);
END;
";

/// Which memory.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// By the id that storing returned.
    Id(String),
    /// By the key that was stored.
    Key(String),
}

/// One memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) key: Option<String>,
    pub(super) content: String,
    pub(super) tags: Vec<String>,
    pub(super) domain: Option<String>,
    pub(super) importance: Option<i64>,
    pub(super) stored_at: String,
}

/// One hit; the higher the score, the better.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Hit {
    pub(super) memory: Kept,
    pub(super) score: f64,
}

/// Counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Stats {
    pub(super) memories: i64,
    pub(super) tags: i64,
    pub(super) bytes: i64,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Shelf {
    connection: Connection,
}

impl Shelf {
    /// Opens the file, and makes the tables if it is new. Several that open a new file at once do not all get to write
    /// its first page: SQLite answers some of them at once, whatever its busy timeout says.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        for _ in 0..OPENINGS {
            match Self::open_once(path) {
                Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                    std::thread::park_timeout(OPENING_PAUSE);
                }
                opened => return opened,
            }
        }
        Self::open_once(path)
    }

    fn open_once(path: &Path) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(LOCK_WAIT)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // With the write-ahead log every commit is synced: an answer means that it is on disk.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
        Ok(Self { connection })
    }

    /// Stores a memory and returns its id; the same key keeps its id.
    pub(super) fn store(
        &mut self,
        content: &str,
        tags: &[String],
        domain: Option<&str>,
        importance: Option<i64>,
        key: Option<&str>,
    ) -> rusqlite::Result<String> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id: i64 = transaction.query_row(
            "INSERT INTO memory(key, content, domain, importance) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(key) DO UPDATE SET content = excluded.content, domain = excluded.domain,
                importance = excluded.importance
             RETURNING id",
            params![key, content, domain, importance],
            |row| row.get(0),
        )?;
        transaction.execute("DELETE FROM tag WHERE memory = ?1", [id])?;
        for tag in tags {
            transaction.execute("INSERT OR IGNORE INTO tag(name, memory) VALUES (?1, ?2)", params![tag, id])?;
        }
        transaction.commit()?;
        Ok(id.to_string())
    }

    /// Finds memories that carry all `tags` and some word of `query`, best first (BM25), then newest. A query that no
    /// word index can serve (punctuation only, part of a word) is looked for as it stands.
    pub(super) fn search(&self, query: &str, tags: &[String], limit: u32) -> rusqlite::Result<Vec<Hit>> {
        let query = query.trim();
        if query.is_empty() {
            return self.found("FROM memory m WHERE 1", "0.0", &[], tags, limit);
        }
        let words = match_expression(query);
        if !words.is_empty() {
            let from = "FROM words JOIN memory m ON m.id = words.rowid WHERE words MATCH ?";
            let hits = self.found(from, "-bm25(words)", &[words], tags, limit)?;
            if !hits.is_empty() {
                return Ok(hits);
            }
        }
        self.found("FROM memory m WHERE instr(m.content, ?) > 0", "0.0", &[query.to_owned()], tags, limit)
    }

    fn found(
        &self,
        from: &str,
        score: &str,
        given: &[String],
        tags: &[String],
        limit: u32,
    ) -> rusqlite::Result<Vec<Hit>> {
        let tagged = " AND EXISTS (SELECT 1 FROM tag t WHERE t.memory = m.id AND t.name = ?)".repeat(tags.len());
        let sql = format!(
            "SELECT m.id, m.key, m.content, m.domain, m.importance, m.stored_at, {score} AS score {from}{tagged}
             ORDER BY score DESC, m.id DESC LIMIT ?"
        );
        let texts = given.iter().chain(tags).cloned().map(Value::Text);
        let values = texts.chain([Value::Integer(i64::from(limit))]);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| Ok((kept(row)?, row.get::<_, f64>(6)?)))?;
        let mut hits = Vec::new();
        for row in rows {
            let (memory, score) = row?;
            hits.push(Hit { memory: self.with_tags(memory)?, score });
        }
        Ok(hits)
    }

    /// Reads one memory.
    pub(super) fn get(&self, place: &Place) -> rusqlite::Result<Option<Kept>> {
        let (column, value) = place.column();
        let sql = format!("SELECT id, key, content, domain, importance, stored_at FROM memory WHERE {column} = ?1");
        let found = self.connection.prepare_cached(&sql)?.query_row([value], kept).optional()?;
        found.map(|memory| self.with_tags(memory)).transpose()
    }

    /// Deletes one memory and tells whether it was there.
    pub(super) fn delete(&mut self, place: &Place) -> rusqlite::Result<bool> {
        let (column, value) = place.column();
        Ok(self.connection.execute(&format!("DELETE FROM memory WHERE {column} = ?1"), [value])? > 0)
    }

    /// Counts what there is.
    pub(super) fn stats(&self) -> rusqlite::Result<Stats> {
        self.connection.query_row(
            "SELECT (SELECT count(*) FROM memory), (SELECT count(DISTINCT name) FROM tag),
                    (SELECT coalesce(sum(length(CAST(content AS BLOB))), 0) FROM memory)",
            [],
            |row| Ok(Stats { memories: row.get(0)?, tags: row.get(1)?, bytes: row.get(2)? }),
        )
    }

    fn with_tags(&self, mut memory: Kept) -> rusqlite::Result<Kept> {
        let mut statement = self.connection.prepare_cached("SELECT name FROM tag WHERE memory = ?1 ORDER BY name")?;
        memory.tags = statement.query_map([&memory.id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(memory)
    }
}

impl Place {
    fn column(&self) -> (&'static str, &dyn ToSql) {
        match self {
            Place::Id(id) => ("id", id),
            Place::Key(key) => ("key", key),
        }
    }
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: row.get::<_, i64>(0)?.to_string(),
        key: row.get(1)?,
        content: row.get(2)?,
        tags: Vec::new(),
        domain: row.get(3)?,
        importance: row.get(4)?,
        stored_at: row.get(5)?,
    })
}

/// Writes any text as an FTS5 expression that cannot be malformed: each run of letters and digits as a quoted string,
/// joined by OR (<https://www.sqlite.org/fts5.html#full_text_query_syntax>).
fn match_expression(query: &str) -> String {
    let words = query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&folder.path().join("memory.db")).unwrap();
        (folder, shelf)
    }

    fn tags(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn contents(hits: &[Hit]) -> Vec<&str> {
        hits.iter().map(|hit| hit.memory.content.as_str()).collect()
    }

    #[test]
    fn the_same_key_is_one_memory_and_keeps_its_id() {
        let (_folder, mut shelf) = shelf();
        let first = shelf.store("old words", &tags(&["a", "b"]), None, None, Some("k")).unwrap();
        let again = shelf.store("new words", &tags(&["b", "c"]), Some("x"), Some(7), Some("k")).unwrap();
        assert_eq!(first, again);
        let kept = shelf.get(&Place::Key("k".into())).unwrap().unwrap();
        assert_eq!((kept.content.as_str(), kept.tags), ("new words", tags(&["b", "c"])));
        assert_eq!(shelf.stats().unwrap().memories, 1);
        assert!(shelf.search("old", &[], 10).unwrap().is_empty());
        assert_eq!(contents(&shelf.search("new", &[], 10).unwrap()), ["new words"]);
    }

    #[test]
    fn memories_without_a_key_are_all_kept() {
        let (_folder, mut shelf) = shelf();
        let a = shelf.store("same", &[], None, None, None).unwrap();
        let b = shelf.store("same", &[], None, None, None).unwrap();
        assert_ne!(a, b);
        assert_eq!(shelf.search("same", &[], 10).unwrap().len(), 2);
    }

    #[test]
    fn tags_are_matched_whole_and_all_of_them() {
        let (_folder, mut shelf) = shelf();
        shelf.store("one", &tags(&["spec:SPEC-1", "stage:plan"]), None, None, None).unwrap();
        shelf.store("ten", &tags(&["spec:SPEC-10", "stage:plan"]), None, None, None).unwrap();
        shelf.store("other stage", &tags(&["spec:SPEC-1", "stage:audit"]), None, None, None).unwrap();
        let hits = shelf.search("", &tags(&["spec:SPEC-1", "stage:plan"]), 10).unwrap();
        assert_eq!(contents(&hits), ["one"]);
    }

    #[test]
    fn the_better_match_comes_first_and_the_limit_holds() {
        let (_folder, mut shelf) = shelf();
        shelf.store("a limiter among many other words that dilute the match", &[], None, None, None).unwrap();
        shelf.store("limiter limiter", &[], None, None, None).unwrap();
        shelf.store("nothing of the kind", &[], None, None, None).unwrap();
        let hits = shelf.search("limiter", &[], 10).unwrap();
        assert_eq!(hits.len(), 2);
        assert_eq!(hits[0].memory.content, "limiter limiter");
        assert!(hits[0].score > hits[1].score);
        assert_eq!(shelf.search("limiter", &[], 1).unwrap().len(), 1);
    }

    #[test]
    fn no_query_is_a_syntax_error() {
        let (_folder, mut shelf) = shelf();
        shelf.store("a+b (c) AND \"d\" NEAR(x) 日本語 a-b*", &[], None, None, None).unwrap();
        for query in [
            "\"",
            "*",
            "(",
            ")",
            "a AND",
            "NOT",
            "OR OR",
            "NEAR(",
            "^a",
            "content:x",
            "-",
            "a - b",
            "{a b}:c",
            "'",
            "''",
            "\0",
            "a\0b",
            "%",
            "日本",
            "\"a\" \"",
            "a+b",
            ";DROP TABLE memory;",
            "é",
            "\\",
            ":",
            ",",
            "[",
            "#",
            "~",
        ] {
            shelf.search(query, &tags(&["\"'%"]), 10).unwrap_or_else(|error| panic!("{query:?}: {error}"));
            shelf.search(query, &[], 10).unwrap_or_else(|error| panic!("{query:?}: {error}"));
        }
        assert_eq!(shelf.search("日本", &[], 10).unwrap().len(), 1, "part of a word is found as it stands");
        assert_eq!(shelf.search("+b (", &[], 10).unwrap().len(), 1);
    }

    #[test]
    fn what_is_deleted_is_gone_from_the_index_too() {
        let (_folder, mut shelf) = shelf();
        let id = shelf.store("gone soon", &tags(&["t"]), None, None, Some("k")).unwrap();
        assert!(shelf.delete(&Place::Id(id.clone())).unwrap());
        assert!(!shelf.delete(&Place::Id(id.clone())).unwrap());
        assert_eq!(shelf.get(&Place::Id(id)).unwrap(), None);
        assert!(shelf.search("gone", &[], 10).unwrap().is_empty());
        assert_eq!(shelf.stats().unwrap(), Stats { memories: 0, tags: 0, bytes: 0 });
    }

    #[test]
    fn sixteen_connections_write_at_once_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.db");
        std::thread::scope(|scope| {
            for writer in 0..16 {
                let path = &path;
                scope.spawn(move || {
                    let mut shelf = Shelf::open(path).unwrap();
                    for n in 0..8 {
                        shelf.store(&format!("{writer} {n}"), &tags(&["t"]), None, None, Some("shared")).unwrap();
                        shelf.store("own", &tags(&["own"]), None, None, Some(&format!("{writer}/{n}"))).unwrap();
                    }
                });
            }
        });
        let shelf = Shelf::open(&path).unwrap();
        assert_eq!(shelf.stats().unwrap().memories, 16 * 8 + 1);
        assert_eq!(shelf.search("", &tags(&["own"]), 1_000).unwrap().len(), 128);
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.db");
        #[expect(clippy::disallowed_methods, reason = "a test makes the broken file by itself")]
        std::fs::write(&path, "not a database, but long enough to be taken for a header of one".repeat(20)).unwrap();
        assert!(Shelf::open(&path).is_err());
    }
}
