//! flowdeck-format
