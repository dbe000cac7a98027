//! flowdeck-server
