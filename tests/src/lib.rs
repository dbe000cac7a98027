//! flowdeck-tests
