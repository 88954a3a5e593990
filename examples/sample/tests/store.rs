//! What is put comes back. 001-key-value-store.

use pantry::store::{Store, StoreError, KEY_MAX, VALUE_MAX};

#[test]
fn a_value_comes_back_as_it_was_put() {
    // FR-001, FR-002
    let mut store = Store::default();
    assert_eq!(store.put("shelf", b"flour"), Ok(true));
    assert_eq!(store.put("shelf", b"rice"), Ok(false));
    assert_eq!(store.get("shelf"), Some(&b"rice"[..]));
}

#[test]
fn a_deleted_key_is_gone() {
    // FR-003
    let mut store = Store::default();
    store.put("shelf", b"flour").unwrap();
    assert!(store.delete("shelf"));
    assert!(!store.delete("shelf"));
    assert_eq!(store.get("shelf"), None);
}

#[test]
fn keys_and_values_have_a_largest_size() {
    // FR-004
    let mut store = Store::default();
    assert_eq!(store.put("", b""), Err(StoreError::BadKey));
    assert_eq!(store.put(&"k".repeat(KEY_MAX + 1), b""), Err(StoreError::BadKey));
    assert_eq!(store.put("k", &vec![0; VALUE_MAX + 1]), Err(StoreError::TooLarge));
    assert_eq!(store.put(&"k".repeat(KEY_MAX), &vec![0; VALUE_MAX]), Ok(true));
}
