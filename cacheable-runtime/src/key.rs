//! Keys: what an entry is called in the store.
