//! flowdeck
