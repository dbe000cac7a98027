//! Why a table operation has no plan: the operation is at fault, or the store cannot answer.
//!
//! Must never let a store that failed look like a fault of the flow: a flow could catch it and go on without its rows.
//! Tests: `tests/crash.rs`.

use flowdeck_model::Fault;

use super::definition::fault;
use crate::ports::StoreError;

/// Why a table operation has no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TableError {
    /// The operation is refused, or the rows it needs are damaged.
    #[error("{0}")]
    Fault(Fault),
    /// The store could not answer; the operation may be tried again.
    #[error(transparent)]
    Store(StoreError),
}

impl From<Fault> for TableError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for TableError {
    fn from(error: StoreError) -> Self {
        match error {
            // It would be met again at each try: the step fails, and the other runs go on.
            StoreError::Damaged { .. } => Self::Fault(fault(format!("the table could not be read: {error}"))),
            _ => Self::Store(error),
        }
    }
}
