//! Real exports of the corpus that need no more than the emulator answers, run as they are.
//!
//! Must never pass a sample that was not run: where there is no corpus, that is said.
//! Tests: these are they. The corpus is `FLOWDECK_CORPUS`, else `../shared/corpus` beside the checkout.
