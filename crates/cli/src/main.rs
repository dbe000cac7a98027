//! The flowdeck command.
fn main() {}
