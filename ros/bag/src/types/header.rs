//! Whether messages of a type begin with a header.

use super::find::TypeFinder;
use super::parse::{Base, Many, fields};

const HEADER: &str = "std_msgs/msg/Header";

/// Whether the first field of the type `type_name` (`package/msg/Name`) is a `std_msgs/msg/Header`. The definition that
/// `types` knows decides, else the one that a bag has in `language` (`ros2msg` or `ros2idl`).
pub fn has_header(types: &TypeFinder, type_name: &str, language: &str, definition: &str) -> bool {
    let of_text = |text: &str| {
        let own = text.split("\n===").next().unwrap_or_default();
        let first = fields(type_name, own)
            .ok()
            .and_then(|fields| fields.into_iter().next());
        first.is_some_and(|field| {
            field.many == Many::One && matches!(&field.base, Base::Message(name) if name == HEADER)
        })
    };
    match types.definition(type_name) {
        Ok(known) => of_text(&known),
        Err(_) if language == "ros2idl" => idl_has_header(type_name, definition),
        Err(_) => of_text(definition),
    }
}

/// Whether the structure of the type in a text of IDL begins with a header.
fn idl_has_header(type_name: &str, text: &str) -> bool {
    let name = type_name.rsplit('/').next().unwrap_or_default();
    let code = without_words(text);
    let mut tokens = code.split_whitespace().peekable();
    while let Some(token) = tokens.next() {
        if token == "struct" && tokens.next() == Some(name) && tokens.next() == Some("{") {
            return tokens.next() == Some("std_msgs::msg::Header");
        }
    }
    false
}

/// A text of IDL without comments, strings and annotations, and with its punctuation set apart.
fn without_words(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    // Depth of parentheses of an annotation; its name ends at the first other character.
    let mut annotation: Option<usize> = None;
    while let Some(c) = rest.chars().next() {
        let skip = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => end_of_string(rest),
            _ => c.len_utf8(),
        };
        match (annotation, c) {
            (None, '@') => annotation = Some(0),
            (None, '"' | '/') => code.push(' '),
            (None, '{' | '}' | ';' | ',' | '<' | '>') => code.extend([' ', c, ' ']),
            (None, _) => code.push(c),
            (Some(depth), '(') => annotation = Some(depth + 1),
            (Some(depth), ')') => annotation = (depth > 1).then(|| depth - 1),
            (Some(0), c) if c.is_whitespace() => {
                let follows = rest.trim_start().starts_with('(');
                annotation = follows.then_some(0);
                code.push(' ');
            }
            (Some(_), _) => {}
        }
        rest = &rest[skip..];
    }
    code
}

/// Number of bytes of the string that the text begins with.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_with_a_header_are_known_by_their_type() {
        let types = TypeFinder::built_in();
        let known = |name: &str| has_header(&types, name, "ros2msg", "");
        assert!(known("sensor_msgs/msg/Image") && known("geometry_msgs/msg/TwistStamped"));
        assert!(!known("std_msgs/msg/Float64"));
        assert!(
            known("sensor_msgs/msg/JointState") && known("trajectory_msgs/msg/JointTrajectory")
        );
        // The text beside a known type does not count.
        let text = "std_msgs/Header header\n";
        assert!(!has_header(&types, "std_msgs/msg/Int64", "ros2msg", text));
    }

    #[test]
    fn the_definition_in_a_bag_decides_about_a_type_that_is_not_known() {
        let types = TypeFinder::built_in();
        let asked = |language: &str, text: &str| has_header(&types, "my/msg/Tank", language, text);
        let rule = "=".repeat(80);
        for (text, expected) in [
            (
                "# words\n\tstd_msgs/msg/Header\theader # stamp\nint8 a\n",
                true,
            ),
            ("int8 A=1\nstd_msgs/Header header\n", true),
            ("std_msgs/Header[] headers\n", false),
            ("int8 a\nstd_msgs/Header header\n", false),
            (
                &format!("{rule}\nMSG: std_msgs/Header\nstd_msgs/Header x\n"),
                false,
            ),
        ] {
            assert_eq!(asked("ros2msg", text), expected, "{text}");
        }
        let idl = |fields: &str| {
            format!(
                "{rule}\nIDL: my/msg/Tank\n#include \"std_msgs/msg/Header.idl\"\nmodule my {{ module msg {{\n\
                 @verbatim (language=\"comment\", text= \"struct Tank {{ std_msgs::msg::Header \\\" )\")\n\
                 struct Tank {{ {fields} }}; }}; }};\n{rule}\nIDL: my/msg/Other\nmodule my {{ struct Other {{ \
                 std_msgs::msg::Header header; }}; }};"
            )
        };
        for (fields, expected) in [
            ("std_msgs::msg::Header header; long a;", true),
            (
                "@verbatim(language=\"comment\" \"a\")\n @key std_msgs::msg::Header header;",
                true,
            ),
            (
                "/* std_msgs::msg::Header */ long a; // x\n std_msgs::msg::Header header;",
                false,
            ),
            ("sequence<std_msgs::msg::Header> headers;", false),
        ] {
            assert_eq!(asked("ros2idl", &idl(fields)), expected, "{fields}");
        }
    }
}
