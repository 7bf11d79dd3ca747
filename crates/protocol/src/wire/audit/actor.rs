//! Who asked.

use flowdeck_model::actor::{ActorKind, ActorView, Via};
use serde::{Deserialize, Serialize};

use super::limit;

/// In characters. Who is not logged in claims any name.
const NAME_MAX: usize = 256;
const ADDRESS_MAX: usize = 64;

#[derive(Serialize, Deserialize)]
pub(super) struct ActorJson {
    name: String,
    kind: ActorKind,
    via: Via,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

impl From<&ActorView> for ActorJson {
    fn from(actor: &ActorView) -> Self {
        Self {
            name: limit::text(&actor.name, NAME_MAX).into_owned(),
            kind: actor.kind,
            via: actor.via,
            address: actor.address.as_deref().map(|it| limit::text(it, ADDRESS_MAX).into_owned()),
        }
    }
}

impl From<ActorJson> for ActorView {
    fn from(ActorJson { name, kind, via, address }: ActorJson) -> Self {
        Self { name, kind, via, address }
    }
}
