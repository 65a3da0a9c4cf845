//! The layouts for Foxglove and PlotJuggler name only topics and fields that are there.

use std::path::Path;

use latco_bag::messages::JointState;
use latco_bag::{BagReader, TopicInfo};

/// Topics that a node has and the bag of a demonstration has not: pictures of plans are asked for, diagnostics are live.
const LIVE: [&str; 2] = ["/latco/imagined/image", "/diagnostics"];

/// Compares both layouts with a recorded bag: the number of topics and fields that they name.
///
/// # Panics
/// When one of them is not there.
pub(crate) fn check(bag: &Path) -> usize {
    let bag = BagReader::open(bag).unwrap();
    let foxglove: serde_json::Value = serde_json::from_str(&layout("foxglove.json")).unwrap();
    let mut paths = Vec::new();
    texts(&foxglove["configById"], &mut paths);
    for path in &paths {
        let (topic, fields) = path.split_once('.').unwrap_or((path, ""));
        assert!(is_there(&bag, topic, fields, '.'), "foxglove.json: {path}");
    }
    let plotjuggler = layout("plotjuggler.xml");
    let curves: Vec<&str> = (plotjuggler.split("<curve name=\"").skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for curve in &curves {
        let topics = bag.topics().iter().map(|topic| topic.name.as_str());
        let topic = topics.filter(|topic| curve.starts_with(&format!("{topic}/")));
        let topic = topic.max_by_key(|topic| topic.len());
        let topic = topic.unwrap_or_else(|| panic!("plotjuggler.xml: {curve}: no such topic"));
        let fields = &curve[topic.len() + 1..];
        // PlotJuggler names the fields of joint states by the joint.
        let fields = match fields.split_once('/') {
            Some((joint, field)) if topic == "/joint_states" => {
                assert!(joints(&bag).iter().any(|known| known == joint), "{curve}");
                field
            }
            _ => fields,
        };
        assert!(
            is_there(&bag, topic, fields, '/'),
            "plotjuggler.xml: {curve}"
        );
    }
    paths.len() + curves.len()
}

fn layout(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/layouts");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// All texts in a JSON value that name a topic.
fn texts(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if text.starts_with('/') => found.push(text.clone()),
        serde_json::Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
        serde_json::Value::Object(map) => map.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// Whether messages of the topic were recorded and have the field, which may be one within another.
fn is_there(bag: &BagReader, topic: &str, fields: &str, between: char) -> bool {
    match bag.topic(topic) {
        None => LIVE.contains(&topic) && fields.is_empty(),
        Some(info) => info.messages > 0 && (fields.is_empty() || has(info, fields, between)),
    }
}

/// Whether the definition of a topic's type has a field: `position[0]`, or `data` of a type within it.
fn has(info: &TopicInfo, fields: &str, between: char) -> bool {
    let sections: Vec<&str> = info.definition.split("MSG: ").collect();
    let mut section = sections[0];
    fields.split(between).all(|field| {
        let name = field.split('[').next().unwrap_or_default();
        let mut lines = section.lines().map(|line| line.split_whitespace());
        let found = lines.find_map(|mut words| {
            let kind = words.next()?;
            (words.next() == Some(name)).then_some(kind)
        });
        let Some(kind) = found else { return false };
        let kind = kind.split('[').next().unwrap_or(kind);
        let within = sections
            .iter()
            .find(|text| text.lines().next().is_some_and(|l| l.ends_with(kind)));
        section = within.copied().unwrap_or_default();
        true
    })
}

fn joints(bag: &BagReader) -> Vec<String> {
    let mut messages = bag.messages().flatten();
    let message = messages.find(|message| &*message.topic == "/joint_states");
    message.unwrap().decode::<JointState>().unwrap().name
}
