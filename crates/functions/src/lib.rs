//! flowdeck-functions
