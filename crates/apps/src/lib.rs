//! flowdeck-apps
