//! What mappings can refer to at a place of a run.
//!
//! Must never show a card's outputs outside its list, nor a caller's names inside a helper.
//! Tests: `tests/driver`.

use std::sync::Arc;

use flowdeck_model::flow::Mappings;
use flowdeck_model::mapping::{Root, Scope};
use flowdeck_model::{CardId, Fault, FaultCode, Fields, Mapping, Value};

use super::program::Program;
use super::state::{Frame, FrameId, Local, Role, RunState};

/// The names seen from a frame.
pub(super) struct FrameScope<'a> {
    pub(super) program: &'a Program,
    pub(super) state: &'a RunState,
    pub(super) frame: FrameId,
    /// A name that comes first (the carried values of a loop that has no round yet).
    pub(super) extra: Option<(&'a CardId, &'a Fields)>,
}

impl<'a> FrameScope<'a> {
    fn own(&self, frame: &'a Frame, name: &str) -> Option<Root<'a>> {
        if let Some((_, local)) = frame.locals.iter().find(|(n, _)| n.as_str() == name) {
            return Some(match local {
                Local::Value(value) => Root::Value(value),
                Local::Item(list, at) => Root::Part(list.get(*at).unwrap_or(&Value::Null)),
                Local::Fields(fields) => Root::Fields(fields),
            });
        }
        let at = *self.program.blocks.get(frame.block as usize)?.index.get(name)?;
        frame.outputs.get(at)?.as_ref().map(Root::Fields)
    }
}

impl Scope for FrameScope<'_> {
    fn root(&self, name: &str) -> Option<Root<'_>> {
        if let Some((_, fields)) = self.extra.filter(|(n, _)| n.as_str() == name) {
            return Some(Root::Fields(fields));
        }
        let mut at = Some(self.frame);
        while let Some(frame) = at.and_then(|id| self.state.frames.get(&id)) {
            if let Some(found) = self.own(frame, name) {
                return Some(found);
            }
            if matches!(frame.role, Role::Root | Role::Helper(_)) {
                if name == "input" {
                    return Some(Root::Fields(frame.input.as_ref().unwrap_or(&self.state.input)));
                }
                break;
            }
            at = frame.parent;
        }
        match name {
            "event" => self.state.event.as_ref().map(Root::Fields),
            "run" => Some(Root::Value(&self.state.facts)),
            _ => None,
        }
    }
}

/// Works out a mapping.
pub(super) fn value(scope: &FrameScope<'_>, mapping: &Mapping) -> Result<Arc<Value>, Fault> {
    mapping.evaluate(scope)
}

/// Works out a named mapping.
pub(super) fn field(scope: &FrameScope<'_>, key: &str, mapping: &Mapping) -> Result<Arc<Value>, Fault> {
    mapping.evaluate(scope).map_err(|fault| match fault.code {
        FaultCode::BadMapping => Fault { message: format!("`{key}`: {}", fault.message), ..fault },
        _ => fault,
    })
}

/// Works out named mappings in order.
pub(super) fn fields(scope: &FrameScope<'_>, mappings: &Mappings) -> Result<Fields, Fault> {
    let mut fields = Fields::with_capacity(mappings.len());
    for (key, mapping) in mappings {
        fields.share(key.clone(), field(scope, key, mapping)?);
    }
    Ok(fields)
}
