//! Templates of every stage and of every variant that a blueprint may ask for.

mod facts;
mod invariants;
mod snapshots;
mod variants;

use super::{Options, Template, synthesize};
use crate::{
    blueprint::{Selection, Stage, load, lower},
    topology::Topology,
};

/// The topology of a stage's built-in blueprint.
fn topology(stage: Stage) -> Topology {
    let loaded =
        load(&Selection { stage: Some(stage), ..Selection::default() }).expect("built-in blueprints are sound");
    lower(&loaded.blueprint, "dev")
}

fn template(topology: &Topology) -> Template {
    synthesize(topology, &Options::default()).expect("a template")
}
