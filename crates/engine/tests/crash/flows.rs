//! Twelve flows that together touch everything a run can commit.
//!
//! Must never output anything that differs from run to run.
//! Tests: `../crash.rs` crashes each at every operation of its store.

use std::sync::Arc;

use flowdeck_engine::ports::{CardOutcome, Loss};
use flowdeck_model::{Fault, FaultCode, Flow};
use flowdeck_sim::World;
use flowdeck_sim::world::flow;
use serde_json::{Value, json};

/// Name and how to set the world up for it.
pub(crate) type Case = (&'static str, fn(&World) -> Arc<Flow>);

pub(crate) fn all() -> Vec<Case> {
    vec![
        ("functions", |_| {
            build(json!({}), json!([echo("a", "${input.list}"), echo("b", "${a.v}"), echo("c", "${b.v}")]))
        }),
        ("two writes", |world| {
            world.authorizer.grant("acme", "alice");
            build(json!({}), json!([acme("a", "write", "1"), acme("b", "write", "${a.v}"), echo("c", "${b.v}")]))
        }),
        ("a loop of writes", |world| {
            world.authorizer.grant("acme", "alice");
            build(json!({}), json!([each(1, json!([acme("w", "write", "${item}")]), "${w.v}")]))
        }),
        ("writes side by side", |world| {
            world.authorizer.grant("acme", "alice");
            build(
                json!({}),
                json!([each(3, json!([acme("r", "read", "${item}"), acme("w", "write", "${r.v}")]), "${w.v}")]),
            )
        }),
        ("pages", |world| {
            world.authorizer.grant("acme", "alice");
            let call = json!({"card": "acme/pages", "slot": "acme"});
            let pages = json!({"for_each": {"each": {"items": {"pages": call}, "as": "item", "concurrency": 2},
                "lane": {"cards": [acme("w", "write", "${item.id}")], "give": {"v": "${w.v}"}}}});
            build(json!({}), json!([card("e", pages)]))
        }),
        ("lanes", |world| {
            world.authorizer.grant("acme", "alice");
            let lanes = json!({"a": lane(json!([acme("r", "read", "1"), acme("w", "write", "${r.v}")]), "${w.v}"),
                "b": lane(json!([acme("p", "put", "2")]), "${p.v}"), "c": lane(json!([echo("e", "3")]), "${e.v}")});
            build(json!({}), json!([card("p", json!({"parallel": {"lanes": lanes}}))]))
        }),
        ("tables", |_| {
            let create = json!({"create": {"table": "log", "values": {"n": "${item}"}}});
            let tables = json!([{"name": "log", "columns": [{"name": "n", "type": "number"}]}]);
            let row = json!({"id": "t", "kind": {"call": {"card": "t/table", "with": {"op": create}}}});
            build(json!({"tables": tables}), json!([each(2, json!([row]), "${t.row.n}")]))
        }),
        ("children", |_| {
            let helper = json!({"name": "child", "cards": [free("w", "${input.v}")]});
            let start = card("k", json!({"call_flow_async": {"flow": "child", "with": {"v": "${item}"}}}));
            build(json!({"helpers": {"child": helper}}), json!([each(4, json!([start]), "${item}")]))
        }),
        ("time and a signal", |_| {
            let wait = |id: &str, until: Value| card(id, json!({"wait": {"until": until}}));
            build(
                json!({}),
                json!([
                    wait("t", json!({"duration": 5_000})),
                    free("w", "1"),
                    wait("s", json!({"signal": {"name": "go"}})),
                    echo("e", "${s.payload}")
                ]),
            )
        }),
        ("an approval and a limit", |_| {
            let ask = card("ask", json!({"wait": {"until": {"approval": {"message": "sure?"}}}}));
            build(json!({"limits": {"free/write": 3}}), json!([ask, each(1, json!([free("w", "${item}")]), "${w.v}")]))
        }),
        ("a connection that is missing and lost", |world| {
            let refused = || CardOutcome::Refused(Loss::Unauthorized { detail: "401".into() });
            let done = |n: i32| CardOutcome::Done { outputs: flowdeck_model::Fields::one("v", n), next_page: None };
            [done(1), refused()].into_iter().for_each(|o| world.cards.next("acme/write", o));
            build(json!({}), json!([free("f", "0"), each(1, json!([acme("w", "write", "${item}")]), "${item}")]))
        }),
        ("errors, repetition and doubt", |world| {
            world.authorizer.grant("acme", "alice");
            let fault = || Fault::new(FaultCode::Unreachable, "no line");
            world
                .cards
                .next("acme/read", CardOutcome::Failed { fault: fault(), transient: true, retry_after_ms: None });
            world.cards.next("acme/write", CardOutcome::Unknown(fault()));
            world.cards.next("acme/put", CardOutcome::Unknown(fault()));
            let mut read = acme("r", "read", "1");
            read["retry"] = json!({"times": 50, "pause_ms": 1_000, "factor": 1.0, "pause_ms_max": 1_000});
            let bad = json!({"id": "bad", "kind": {"call": {"card": "t/fail", "with": {}}}});
            let caught =
                json!({"try": {"lane": {"cards": [bad]}, "error": "error", "catch": lane(json!([]), "${error.code}")}});
            build(
                json!({}),
                json!([read, acme("w", "write", "2"), acme("p", "put", "3"), card("t", caught), echo("e", "${t.v}")]),
            )
        }),
    ]
}

fn build(more: Value, cards: Value) -> Arc<Flow> {
    let mut all = json!({"slots": {"acme": {"app": "acme"}}, "cards": cards});
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    flow(all)
}

fn card(id: &str, kind: Value) -> Value {
    json!({"id": id, "kind": kind})
}

fn echo(id: &str, v: &str) -> Value {
    card(id, json!({"call": {"card": "t/echo", "with": {"v": v}}}))
}

fn free(id: &str, v: &str) -> Value {
    card(id, json!({"call": {"card": "free/write", "with": {"v": v}}}))
}

fn acme(id: &str, name: &str, v: &str) -> Value {
    card(id, json!({"call": {"card": format!("acme/{name}"), "slot": "acme", "with": {"v": v}}}))
}

fn lane(cards: Value, give: &str) -> Value {
    json!({"cards": cards, "give": {"v": give}})
}

fn each(concurrency: u32, cards: Value, give: &str) -> Value {
    let each = json!({"items": {"list": "${input.list}"}, "as": "item", "concurrency": concurrency});
    card("each", json!({"for_each": {"each": each, "lane": lane(cards, give)}}))
}
