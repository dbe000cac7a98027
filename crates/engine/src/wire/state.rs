//! The stored form of a run's resumable state.
//!
//! Must never hold a large value itself.
//! Tests: below.
