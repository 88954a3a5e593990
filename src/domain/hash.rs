//! Hashes, and the one JSON writing that is hashed.
//!
//! It must not know what is hashed or why.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// A SHA-256 as 64 lower-case hex digits, so that `sha256sum` prints the same. Its text is shared: a verdict names a
/// claim's key in many places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sha(pub Arc<str>);

impl Sha {
    /// Hashes bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::of_digest(Sha256::digest(bytes.as_ref()).into())
    }

    /// Writes a digest that was computed before.
    pub fn of_digest(digest: [u8; 32]) -> Self {
        Self(hex(&digest).into())
    }

    /// Hashes what a writer puts down piece by piece.
    pub fn of_pieces(write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Self {
        let mut hasher = Sha256::new();
        write(&mut |piece| hasher.update(piece));
        Self::of_digest(hasher.finalize().into())
    }

    /// Returns the hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Why a value has no canonical writing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// A float: two machines may print it differently.
    #[error("a number that is not an integer: {0}")]
    Float(String),
    /// The value could not be turned into JSON at all.
    #[error("not JSON: {0}")]
    NotJson(String),
}

/// Writes a value as RFC 8785 JSON (keys sorted by UTF-16 code units, no spaces, shortest escapes), integers only.
///
/// # Errors
/// [`NotCanonical`] when the value holds a float or is not JSON.
pub fn canonical(value: &impl Serialize) -> Result<String, NotCanonical> {
    let value = serde_json::to_value(value).map_err(|e| NotCanonical::NotJson(e.to_string()))?;
    let mut out = String::new();
    write_canonical(&value, &mut out)?;
    Ok(out)
}

fn write_canonical(value: &serde_json::Value, out: &mut String) -> Result<(), NotCanonical> {
    use serde_json::Value;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) if n.is_f64() => return Err(NotCanonical::Float(n.to_string())),
        Value::Number(n) => out.push_str(&n.to_string()),
        // serde_json escapes exactly what RFC 8785 §3.2.2.2 asks: the two-character forms, \u00xx for other controls.
        Value::String(s) => out.push_str(&Value::String(s.clone()).to_string()),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(&map[key], out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_json_sorts_by_utf_16_and_escapes_shortest() {
        let value = json!({"\u{e000}": 1, "\u{10000}": 2, "b": [true, null, "a\n\u{1}\u{7f}/é"], "a": -3});
        assert_eq!(
            canonical(&value).unwrap(),
            "{\"a\":-3,\"b\":[true,null,\"a\\n\\u0001\u{7f}/é\"],\"\u{10000}\":2,\"\u{e000}\":1}"
        );
        assert!(matches!(canonical(&json!(1.5)), Err(NotCanonical::Float(_))));
    }

    #[test]
    fn sha_is_what_sha256sum_prints() {
        assert_eq!(Sha::of("abc").as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
