//! Finding the configurations and bundles that come with the programs, from any working folder.

use std::path::{Component, Path, PathBuf};

/// Folders of the repository that `ros/install.sh` puts under `PREFIX/share/latco`.
const SHIPPED: [&str; 2] = ["configs", "models"];

/// The file or folder that is meant by `path`.
///
/// This is `path` itself where something is there. A relative path under `configs/` or `models/` is otherwise looked for beside
/// the running program: in `share/latco` of the prefix that it is installed in, and in the checkout that it was built in. Where
/// nothing is found, `path` comes back as it is, so that errors name what was asked for.
pub fn shipped(path: &Path) -> PathBuf {
    std::env::current_exe().map_or_else(|_| path.into(), |program| beside(path, &program))
}

fn beside(path: &Path, program: &Path) -> PathBuf {
    let is_shipped = match path.components().next() {
        Some(Component::Normal(first)) => SHIPPED.iter().any(|folder| first == *folder),
        _ => false,
    };
    let folders = program.ancestors().skip(1).filter(|_| is_shipped);
    (folders.flat_map(|folder| [folder.join("share/latco"), folder.to_owned()]))
        .map(|folder| folder.join(path))
        .find(|there| !path.exists() && there.exists())
        .unwrap_or_else(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_a_program_is_found_in_its_prefix_or_its_checkout_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path
        };
        let installed = make("usr/share/latco/configs/only-here.toml");
        let built = make("checkout/configs/only-here.toml");
        let other = make("usr/share/latco/notes/only-here.toml");
        let asked = Path::new("configs/only-here.toml");
        for (program, found) in [
            ("usr/lib/latco/latco", installed.as_path()),
            ("checkout/target/release/latco", &built),
            ("elsewhere/latco", asked),
        ] {
            assert_eq!(beside(asked, &folder.path().join(program)), found);
        }
        let program = folder.path().join("usr/lib/latco/latco");
        for asked in [Path::new("notes/only-here.toml"), &other, Path::new("")] {
            assert_eq!(beside(asked, &program), asked);
        }
    }
}
