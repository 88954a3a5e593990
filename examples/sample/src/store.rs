//! Values by key, in memory.

use std::collections::BTreeMap;

/// Longest key, in bytes.
pub const KEY_MAX: usize = 128;

/// Largest value, in bytes.
pub const VALUE_MAX: usize = 65_536;

/// Why a value was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreError {
    /// The key is empty or longer than [`KEY_MAX`].
    BadKey,
    /// The value is larger than [`VALUE_MAX`].
    TooLarge,
}

/// Values by key.
#[derive(Debug, Default)]
pub struct Store {
    values: BTreeMap<String, Vec<u8>>,
}

impl Store {
    /// Stores a value and tells whether the key is new.
    pub fn put(&mut self, key: &str, value: &[u8]) -> Result<bool, StoreError> {
        if key.is_empty() || key.len() > KEY_MAX {
            return Err(StoreError::BadKey);
        }
        if value.len() > VALUE_MAX {
            return Err(StoreError::TooLarge);
        }
        Ok(self.values.insert(key.to_owned(), value.to_vec()).is_none())
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// Forgets a key and tells whether it was there.
    pub fn delete(&mut self, key: &str) -> bool {
        self.values.remove(key).is_some()
    }
}
