//! flowdeck-playground
