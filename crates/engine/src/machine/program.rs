//! A flow made ready to run: flat blocks of cards, each with its declaration.
//!
//! Block numbers are part of the stored state: a flow (pinned by its hash) must always compile to the same blocks.
//! Tests: below.

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_model::connect::Need;
use flowdeck_model::flow::{Call, Items, Lane, Mappings, Trigger};
use flowdeck_model::{
    Card, CardDecl, CardId, CardKind, CardName, Catalogue, EffectClass, Flow, FlowName, Mapping, SlotName, Value,
};
use indexmap::IndexMap;

use super::secrets::Secrets;

/// Number of a block.
pub type BlockId = u32;

/// Why a flow cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The helper to start with is not in the flow.
    #[error("flow `{flow}` has no helper `{helper}`")]
    NoHelper {
        /// The flow.
        flow: FlowName,
        /// The helper.
        helper: FlowName,
    },
    /// Lanes inside lanes inside lanes.
    #[error("flow `{flow}`: cards are nested deeper than {DEPTH_MAX}; move inner cards into a helper flow")]
    TooDeep {
        /// The flow.
        flow: FlowName,
    },
}

/// Deepest nesting of lanes.
pub const DEPTH_MAX: usize = 100;
/// Deepest chain of helper calls in a run.
pub const CALLS_DEPTH_MAX: usize = 64;

/// A flow made ready to run.
#[derive(Debug)]
pub struct Program {
    /// The flow without its cards.
    pub flow: Arc<Flow>,
    /// The helper that is run instead, where one is.
    pub entry: Option<FlowName>,
    /// All card lists.
    pub blocks: Vec<Block>,
    /// The block of the run itself.
    pub root: BlockId,
    /// The block of each helper.
    pub helpers: IndexMap<FlowName, BlockId>,
    /// Which of its values derive from secrets.
    pub secrets: Secrets,
    /// What the whole flow may need: one for each slot, with the scopes of all its cards.
    needs: Vec<Need>,
}

/// A list of cards.
#[derive(Debug)]
pub struct Block {
    /// Its cards.
    pub nodes: Vec<Node>,
    /// Position of each card.
    pub index: HashMap<CardId, usize>,
    /// What it gives at its end.
    pub give: Mappings,
    /// The helper it belongs to; `None` for the flow itself.
    pub helper: Option<FlowName>,
}

/// A card.
#[derive(Debug)]
pub struct Node {
    /// The card; nested cards are taken out into `lanes`.
    pub card: Card,
    /// What is done here.
    pub lanes: Vec<BlockId>,
    /// Declaration of the called card (also of a loop's pages).
    pub decl: Option<Arc<CardDecl>>,
    /// Whether this is the event card, step 0.
    pub is_event: bool,
    /// How the inputs of its call are filled, in the order of their declaration: nothing is left for the card's
    /// defaults to fill in at each step.
    pub fills: Vec<Fill>,
}

/// How an input is filled.
#[derive(Debug)]
pub enum Fill {
    /// With the same value in all steps, which share it.
    Constant(String, Arc<Value>),
    /// By the mapping at this position of the call.
    Mapped(usize),
}

impl Node {
    /// The call of an action or function, if it has one.
    #[must_use]
    pub fn call(&self) -> Option<&Call> {
        match &self.card.kind {
            CardKind::Call(call) => Some(call),
            kind => match each_items(kind) {
                Some(Items::Pages(call)) => Some(call),
                _ => None,
            },
        }
    }

    /// The card's name, or the word for a control card.
    #[must_use]
    pub fn word(&self) -> &str {
        self.call().map_or(self.card.kind.word(), |c| c.card.as_str())
    }

    /// What the card does to the world.
    #[must_use]
    pub fn effect(&self) -> EffectClass {
        self.decl.as_ref().map_or(EffectClass::Pure, |d| d.effect)
    }
}

fn each_items(kind: &CardKind) -> Option<&Items> {
    match kind {
        CardKind::ForEach(f) => Some(&f.each.items),
        CardKind::Map { each, .. } | CardKind::Filter { each, .. } | CardKind::Reduce { each, .. } => Some(&each.items),
        _ => None,
    }
}

impl Program {
    /// Compiles a flow, or one of its helpers as a run of its own.
    ///
    /// # Errors
    /// [`CompileError`]. Unknown cards and helpers are no error here: their steps fail.
    pub fn compile(flow: &Flow, entry: Option<&FlowName>, cards: &dyn Catalogue) -> Result<Self, CompileError> {
        let mut rest = flow.clone();
        let mut compiler = Compiler { cards, blocks: Vec::new(), helper: None, flow: flow.name.clone() };
        let mut list = std::mem::take(&mut rest.cards);
        if let Trigger::Event(event) = &rest.on {
            let (card, slot) = (event.card.clone(), event.slot.clone());
            let call = Call { card, slot, unbound: event.unbound, with: Mappings::new() };
            list.insert(0, Card::new(event.id.clone(), CardKind::Call(call)));
        }
        let main = compiler.block(list, Mappings::new(), 0)?;
        if matches!(rest.on, Trigger::Event(_))
            && let Some(first) = compiler.blocks[main as usize].nodes.first_mut()
        {
            first.is_event = true;
        }
        let mut helpers = IndexMap::new();
        for (name, helper) in &mut rest.helpers {
            compiler.helper = Some(name.clone());
            let block = compiler.block(std::mem::take(&mut helper.cards), Mappings::new(), 0)?;
            helpers.insert(name.clone(), block);
        }
        let root = match entry {
            None => main,
            Some(name) => *helpers
                .get(name)
                .ok_or_else(|| CompileError::NoHelper { flow: flow.name.clone(), helper: name.clone() })?,
        };
        let (blocks, secrets) = (compiler.blocks, Secrets::default());
        let needs = Vec::new();
        let mut program = Self { flow: Arc::new(rest), entry: entry.cloned(), blocks, root, helpers, secrets, needs };
        program.secrets = super::secrets::analyse(&program);
        program.needs = program.slots();
        Ok(program)
    }

    /// The flow a block belongs to.
    #[must_use]
    pub fn flow_of(&self, block: BlockId) -> &Flow {
        let helper = self.blocks.get(block as usize).and_then(|b| b.helper.as_ref());
        helper.and_then(|h| self.flow.helpers.get(h)).unwrap_or(&self.flow)
    }

    /// The flow that is run: the helper where there is an entry.
    #[must_use]
    pub fn main_flow(&self) -> &Flow {
        self.flow_of(self.root)
    }

    /// Whether values of this list's steps are kept: its flow, the run's flow and the file's flow must all say so.
    #[must_use]
    pub fn keeps_data(&self, block: BlockId) -> bool {
        self.flow.keep_data && self.main_flow().keep_data && self.flow_of(block).keep_data
    }

    /// Whether the values of a run must not lie readable in the store while it lives.
    #[must_use]
    pub fn seals(&self) -> bool {
        let keeps = self.flow.keep_data && self.flow.helpers.values().all(|helper| helper.keep_data);
        !keeps || self.secrets.any()
    }

    /// The card at a place.
    #[must_use]
    pub fn node(&self, block: BlockId, at: u32) -> Option<&Node> {
        self.blocks.get(block as usize)?.nodes.get(at as usize)
    }

    /// What a card needs of a connection; `None` where it needs none or its slot is not declared.
    #[must_use]
    pub fn need(&self, block: BlockId, node: &Node) -> Option<Need> {
        // What nothing offers has nothing to connect to.
        let call = node.call().filter(|call| !call.unbound || node.decl.is_some())?;
        let app = node.decl.as_ref().and_then(|d| d.app.clone());
        if app.is_none() && !(node.is_event && call.slot.is_some()) {
            return None;
        }
        let own = self.flow_of(block);
        let find = |flow: &Flow| -> Option<SlotName> {
            match &call.slot {
                Some(slot) => flow.slots.contains_key(slot).then(|| slot.clone()),
                None => {
                    let mut fits = flow.slots.iter().filter(|(_, s)| Some(&s.app) == app.as_ref());
                    let first = fits.next()?;
                    fits.next().is_none().then(|| first.0.clone())
                }
            }
        };
        let (flow, name) = match find(own) {
            Some(name) => (own, name),
            None => (self.flow.as_ref(), find(&self.flow)?),
        };
        let slot = flow.slots.get(&name)?;
        let mut scopes = slot.scopes.clone();
        for scope in node.decl.iter().flat_map(|d| &d.scopes) {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        let title = match (&node.decl, node.card.title.as_str()) {
            (Some(d), "") => d.title.clone(),
            (None, "") => call.card.to_string(),
            (_, title) => title.to_owned(),
        };
        Some(Need {
            app: slot.app.clone(),
            flow: flow.name.clone(),
            slot: name.clone(),
            nickname: slot.nickname.clone(),
            scopes,
            also: self.of_slot(&flow.name, &name).map(|slot| slot.scopes.clone()).unwrap_or_default(),
            card: call.card.clone(),
            card_title: title,
            step: None,
        })
    }

    /// What the whole flow may need: one for each slot, with the scopes of all its cards.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn of_slot(&self, flow: &FlowName, slot: &SlotName) -> Option<&Need> {
        self.needs.iter().find(|need| need.flow == *flow && need.slot == *slot)
    }

    fn slots(&self) -> Vec<Need> {
        let mut all: IndexMap<(FlowName, SlotName), Need> = IndexMap::new();
        for (id, block) in self.blocks.iter().enumerate() {
            for node in &block.nodes {
                let Some(need) = self.need(u32::try_from(id).unwrap_or(u32::MAX), node) else { continue };
                match all.get_mut(&(need.flow.clone(), need.slot.clone())) {
                    None => {
                        all.insert((need.flow.clone(), need.slot.clone()), need);
                    }
                    Some(known) => {
                        let new: Vec<_> = need.scopes.into_iter().filter(|s| !known.scopes.contains(s)).collect();
                        known.scopes.extend(new);
                    }
                }
            }
        }
        all.into_values().collect()
    }

    /// The most uses of a card in one run.
    #[must_use]
    pub fn limit(&self, block: BlockId, card: &CardName) -> Option<u64> {
        self.flow_of(block).limits.get(card).or_else(|| self.flow.limits.get(card)).copied()
    }
}

fn fills(with: &Mappings, decl: &CardDecl) -> Vec<Fill> {
    let mut fills = Vec::with_capacity(with.len().max(decl.inputs.len()));
    for field in &decl.inputs {
        let constant = |value: &Value| Fill::Constant(field.key.clone(), Arc::new(value.clone()));
        match (with.get_full(&field.key), &field.default) {
            (None, default) => fills.extend(default.as_ref().map(constant)),
            (Some((.., Mapping::Literal(Value::Null))), Some(default)) => fills.push(constant(default)),
            (Some((.., Mapping::Literal(value))), _) => fills.push(constant(value)),
            (Some((at, ..)), _) => fills.push(Fill::Mapped(at)),
        }
    }
    let more = with.iter().enumerate().filter(|(_, (key, _))| decl.input(key).is_none());
    fills.extend(more.map(|(at, (key, mapping))| match mapping {
        Mapping::Literal(value) => Fill::Constant(key.clone(), Arc::new(value.clone())),
        _ => Fill::Mapped(at),
    }));
    fills
}

struct Compiler<'a> {
    cards: &'a dyn Catalogue,
    blocks: Vec<Block>,
    helper: Option<FlowName>,
    flow: FlowName,
}

impl Compiler<'_> {
    fn block(&mut self, cards: Vec<Card>, give: Mappings, depth: usize) -> Result<BlockId, CompileError> {
        if depth > DEPTH_MAX {
            return Err(CompileError::TooDeep { flow: self.flow.clone() });
        }
        let id = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        self.blocks.push(Block { nodes: Vec::new(), index: HashMap::new(), give, helper: self.helper.clone() });
        let mut nodes = Vec::with_capacity(cards.len());
        for mut card in cards {
            let lanes = self.lanes(&mut card.kind, depth + 1)?;
            let mut node = Node { card, lanes, decl: None, is_event: false, fills: Vec::new() };
            node.decl = node.call().and_then(|c| self.cards.card(&c.card));
            node.fills = node.call().zip(node.decl.as_deref()).map(|(c, d)| fills(&c.with, d)).unwrap_or_default();
            nodes.push(node);
        }
        let index = nodes.iter().enumerate().map(|(i, n)| (n.card.id.clone(), i)).collect();
        let block = &mut self.blocks[id as usize];
        block.nodes = nodes;
        block.index = index;
        Ok(id)
    }

    fn lane(&mut self, lane: &mut Lane, depth: usize) -> Result<BlockId, CompileError> {
        let lane = std::mem::take(lane);
        self.block(lane.cards, lane.give, depth)
    }

    fn lanes(&mut self, kind: &mut CardKind, depth: usize) -> Result<Vec<BlockId>, CompileError> {
        Ok(match kind {
            CardKind::If { then, otherwise, .. } => vec![self.lane(then, depth)?, self.lane(otherwise, depth)?],
            CardKind::ElseIf { branches, otherwise } => {
                let mut lanes = Vec::new();
                for branch in branches {
                    lanes.push(self.lane(&mut branch.lane, depth)?);
                }
                lanes.push(self.lane(otherwise, depth)?);
                lanes
            }
            CardKind::ForEach(f) => vec![self.lane(&mut f.lane, depth)?],
            CardKind::Map { cards, .. } | CardKind::Filter { cards, .. } | CardKind::Reduce { cards, .. } => {
                vec![self.block(std::mem::take(cards), Mappings::new(), depth)?]
            }
            CardKind::Times { lane, .. } | CardKind::While { lane, .. } => vec![self.lane(lane, depth)?],
            CardKind::Try { lane, catch, .. } => vec![self.lane(lane, depth)?, self.lane(catch, depth)?],
            CardKind::Parallel { lanes } => {
                let mut ids = Vec::new();
                for lane in lanes.values_mut() {
                    ids.push(self.lane(lane, depth)?);
                }
                ids
            }
            _ => Vec::new(),
        })
    }
}
