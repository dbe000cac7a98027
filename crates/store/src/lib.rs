//! flowdeck-store
