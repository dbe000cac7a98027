//! flowdeck-egress
