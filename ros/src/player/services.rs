//! The services of a player, by the types that rosbag2's player has: `~/pause`, `~/resume`, `~/toggle_paused`,
//! `~/is_paused`, `~/play_next`, `~/set_rate`, `~/get_rate`.

use std::sync::Arc;

use ros2_client::Message;
use serde::{Deserialize, Serialize};

use super::pace::Control;
use crate::middleware::{NodeBuilder, NodeError};

/// A request or reply without fields: one byte on the wire.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Nothing {
    structure_needs_at_least_one_member: u8,
}

/// Reply of `rosbag2_interfaces/srv/IsPaused`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsPaused {
    /// Whether the player is paused.
    pub paused: bool,
}

/// Reply of `rosbag2_interfaces/srv/PlayNext` and `SetRate`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// Whether the request was carried out.
    pub success: bool,
}

/// Request of `rosbag2_interfaces/srv/SetRate`, reply of `GetRate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The rate: how many times as fast as recorded.
    pub rate: f64,
}

impl Message for Nothing {}
impl Message for IsPaused {}
impl Message for Success {}
impl Message for Rate {}

const PACKAGE: &str = "rosbag2_interfaces";

pub(super) fn serve(node: &mut NodeBuilder, control: &Arc<Control>) -> Result<(), NodeError> {
    let with = |does: fn(&Control)| {
        let control = control.clone();
        move |_: Nothing| {
            does(&control);
            Nothing::default()
        }
    };
    node.serve("~/pause", (PACKAGE, "Pause"), with(Control::pause))?;
    node.serve("~/resume", (PACKAGE, "Resume"), with(Control::resume))?;
    let toggle = |control: &Control| {
        control.toggle();
    };
    node.serve("~/toggle_paused", (PACKAGE, "TogglePaused"), with(toggle))?;
    let asked = control.clone();
    node.serve("~/is_paused", (PACKAGE, "IsPaused"), move |_: Nothing| {
        IsPaused {
            paused: asked.is_paused(),
        }
    })?;
    let asked = control.clone();
    node.serve("~/play_next", (PACKAGE, "PlayNext"), move |_: Nothing| {
        Success {
            success: asked.play_next(),
        }
    })?;
    let asked = control.clone();
    node.serve("~/get_rate", (PACKAGE, "GetRate"), move |_: Nothing| Rate {
        rate: asked.rate(),
    })?;
    let asked = control.clone();
    node.serve("~/set_rate", (PACKAGE, "SetRate"), move |wanted: Rate| {
        Success {
            success: asked.set_rate(wanted.rate),
        }
    })
}
