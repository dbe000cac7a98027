//! flowdeck-connections
