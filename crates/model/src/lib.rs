//! flowdeck-model
