//! flowdeck-sim
