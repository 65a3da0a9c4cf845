//! Where the definition of a message type comes from: the `.msg` files of the ROS 2 workspaces that are sourced, folders
//! that are given, or the standard types that are built in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::parse::{Base, DefinitionError, fields};

/// Fields of the standard types, by sections `MSG: package/Name`.
const STANDARD: &str = include_str!("standard.msgs");
const RULE: &str =
    "================================================================================\n";

/// A type of which no definition is found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDefinition {
    /// The definition is in none of the places.
    #[error(
        "no definition of message type `{used}`{}: it is no standard type, and there is no {file} in {}",
        if used == type_name { String::new() } else { format!(", which `{type_name}` uses") },
        match &folders[..] {
            [] => "a sourced ROS 2 workspace (AMENT_PREFIX_PATH is empty)".to_owned(),
            folders => folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "),
        }
    )]
    Unknown {
        /// The type that was asked for.
        type_name: String,
        /// The type that is not found: the one that was asked for, or one that it uses.
        used: String,
        /// The file that was looked for.
        file: String,
        /// The folders that were looked in.
        folders: Vec<PathBuf>,
    },
    /// The definition was found and cannot be understood.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The text is not the name of a message type.
    #[error("message type `{0}`: expected the form package/msg/Type")]
    Name(String),
}

/// Finds definitions of message types.
#[derive(Debug, Clone, Default)]
pub struct TypeFinder {
    /// Folders with `PACKAGE/msg/NAME.msg`.
    folders: Vec<PathBuf>,
}

impl TypeFinder {
    /// Makes a finder that knows the standard types only.
    pub fn built_in() -> Self {
        Self::default()
    }

    /// Also looks for `PACKAGE/msg/NAME.msg` in `folders`, first of all, and in the workspaces of `AMENT_PREFIX_PATH`.
    pub fn from_environment(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut folders: Vec<PathBuf> = folders.into_iter().collect();
        if let Some(prefixes) = std::env::var_os("AMENT_PREFIX_PATH") {
            let prefixes = std::env::split_paths(&prefixes);
            folders.extend(
                prefixes
                    .filter(|p| !p.as_os_str().is_empty())
                    .map(|p| p.join("share")),
            );
        }
        Self { folders }
    }

    /// Text of the type (`package/msg/Name`) and of every type that it uses, as bags hold it.
    ///
    /// # Errors
    /// [`NoDefinition`].
    pub fn definition(&self, type_name: &str) -> Result<String, NoDefinition> {
        let parts: Vec<&str> = type_name.split('/').collect();
        let (package, name) = match parts[..] {
            [package, "msg", name] if !package.is_empty() && !name.is_empty() => (package, name),
            // Messages of services and actions, such as Trigger_Event, have no file of their own.
            [_, "srv" | "action", name] if name.contains('_') => {
                return Err(NoDefinition::Unknown {
                    type_name: type_name.to_owned(),
                    used: type_name.to_owned(),
                    file: format!("{type_name}.msg"),
                    folders: self.folders.clone(),
                });
            }
            _ => return Err(NoDefinition::Name(type_name.to_owned())),
        };
        let is_word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_word(package) || !is_word(name) {
            return Err(NoDefinition::Name(type_name.to_owned()));
        }
        let mut done: Vec<String> = vec![type_name.to_owned()];
        let mut text = String::new();
        let mut next = 0;
        while let Some(used) = done.get(next).cloned() {
            let own = self.own_text(type_name, &used)?;
            if next > 0 {
                text.push_str(RULE);
                text.push_str(&format!("MSG: {}\n", used.replace("/msg/", "/")));
            }
            text.push_str(own.trim_end());
            text.push('\n');
            for field in fields(&used, &own)? {
                if let Base::Message(used) = field.base
                    && !done.contains(&used)
                {
                    done.push(used);
                }
            }
            next += 1;
        }
        Ok(text)
    }

    /// Text of one type without those that it uses.
    fn own_text(&self, type_name: &str, used: &str) -> Result<String, NoDefinition> {
        let file = format!("{used}.msg");
        let found = self
            .folders
            .iter()
            .find_map(|folder| std::fs::read(folder.join(&file)).ok());
        if let Some(bytes) = found {
            return Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"));
        }
        standard()
            .get(used)
            .map(|text| (*text).to_owned())
            .ok_or_else(|| NoDefinition::Unknown {
                type_name: type_name.to_owned(),
                used: used.to_owned(),
                file,
                folders: self.folders.clone(),
            })
    }
}

/// Names of the types that are built in.
pub(crate) fn standard() -> BTreeMap<String, &'static str> {
    STANDARD
        .split("MSG: ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(name, text)| (name.replace('/', "/msg/"), text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::type_hash;
    use super::*;

    #[test]
    fn every_standard_type_is_whole() {
        let finder = TypeFinder::built_in();
        assert!(standard().len() > 130);
        for name in standard().keys().map(String::as_str) {
            let text = finder.definition(name).unwrap();
            assert!(type_hash(name, &text).is_ok(), "{name}");
        }
        let path = finder.definition("nav_msgs/msg/Path").unwrap();
        for used in [
            "std_msgs/Header",
            "geometry_msgs/PoseStamped",
            "geometry_msgs/Quaternion",
        ] {
            assert!(path.contains(&format!("MSG: {used}\n")), "{path}");
        }
    }

    #[test]
    fn a_foreign_type_is_found_in_its_folder_and_named_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("my_msgs/msg");
        std::fs::create_dir_all(&package).unwrap();
        std::fs::write(
            package.join("Tank.msg"),
            "# A tank.\nuint8 FULL = 1\nstd_msgs/Header header\nLevel[<=3] levels\nstring<=5 name \"a=b\"\n",
        )
        .unwrap();
        let finder = TypeFinder {
            folders: vec![folder.path().to_path_buf()],
        };
        let error = finder
            .definition("my_msgs/msg/Tank")
            .unwrap_err()
            .to_string();
        for words in ["my_msgs/msg/Level", "my_msgs/msg/Tank", "Level.msg"] {
            assert!(error.contains(words), "{error}");
        }
        std::fs::write(package.join("Level.msg"), "float64 value\n").unwrap();
        let text = finder.definition("my_msgs/msg/Tank").unwrap();
        assert!(
            text.contains("MSG: my_msgs/Level\nfloat64 value\n"),
            "{text}"
        );
        assert!(text.contains("MSG: builtin_interfaces/Time\n"), "{text}");
        assert!(
            type_hash("my_msgs/msg/Tank", &text)
                .unwrap()
                .starts_with("RIHS01_")
        );

        for name in [
            "my_msgs/Tank",
            "my_msgs/srv/Tank",
            "../msg/x",
            "a/msg/",
            "a.b/msg/C",
        ] {
            assert!(
                matches!(finder.definition(name), Err(NoDefinition::Name(_))),
                "{name}"
            );
        }
        let error = TypeFinder::built_in()
            .definition("my_msgs/msg/Tank")
            .unwrap_err();
        assert!(error.to_string().contains("my_msgs/msg/Tank"), "{error}");
    }

    #[test]
    fn hashes_are_those_of_ros() {
        let finder = TypeFinder::built_in();
        for (name, hash) in [
            (
                "std_msgs/msg/String",
                "df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
            ),
            (
                "sensor_msgs/msg/Image",
                "d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
            ),
        ] {
            let text = finder.definition(name).unwrap();
            assert_eq!(type_hash(name, &text).unwrap(), format!("RIHS01_{hash}"));
        }
    }

    #[test]
    fn a_broken_definition_is_an_error() {
        for text in ["uint8", "uint8[x] a", "string<=x a", "a-b c", "int32 ="] {
            assert!(type_hash("a/msg/B", text).is_err(), "{text}");
        }
        assert!(type_hash("a/msg/B", "").is_err());
        assert!(
            type_hash("a/msg/B", "C c\n")
                .unwrap_err()
                .to_string()
                .contains("a/msg/C")
        );
    }
}
