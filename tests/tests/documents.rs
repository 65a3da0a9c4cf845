//! The Markdown files say what is so: links lead somewhere, and the commands, options, `make` targets and tests that they
//! name exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use latco_testkit::documents::{Document, KINDS, documents};
use latco_testkit::latco::{latco, latco_train};
use latco_testkit::paths::workspace;

fn assert_none(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let documents = documents();
    let anchors: BTreeMap<PathBuf, BTreeSet<String>> = documents
        .iter()
        .map(|document| {
            (
                document.path.canonicalize().expect("it exists"),
                document.anchors(),
            )
        })
        .collect();
    let mut problems = Vec::new();
    for document in &documents {
        for link in document.links() {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = document.path.parent().expect("a file lies in a folder");
            let path = if file.is_empty() {
                document.path.clone()
            } else {
                folder.join(file)
            };
            match path.canonicalize() {
                Err(_) => problems.push(format!("{}: {link}: no such file", document.name())),
                Ok(path)
                    if !anchor.is_empty()
                        && !anchors.get(&path).is_some_and(|a| a.contains(anchor)) =>
                {
                    problems.push(format!("{}: {link}: no such heading", document.name()));
                }
                Ok(_) => {}
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_source_file_named_in_a_document_exists() {
    let (mut problems, mut checked) = (Vec::new(), 0);
    for document in documents().iter().filter(|document| !document.is_history()) {
        for span in document.spans() {
            let is_path = span.contains('/')
                && span
                    .chars()
                    .all(|c| c.is_alphanumeric() || "/._-".contains(c));
            let is_source = [".rs", ".py", ".sh", ".toml"]
                .iter()
                .any(|end| span.ends_with(end));
            let is_ours = span
                .split('/')
                .next()
                .is_some_and(|first| !first.is_empty() && workspace().join(first).is_dir());
            // `configs/train/TASK.toml` stands for several.
            let is_placeholder = span
                .split(['/', '.'])
                .any(|part| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase()));
            if is_path && is_source && is_ours && !is_placeholder {
                checked += 1;
                if !workspace().join(&span).exists() {
                    problems.push(format!("{}: `{span}`: no such file", document.name()));
                }
            }
        }
    }
    assert!(
        checked > 5,
        "expected source files named in the documents, found {checked}"
    );
    assert_none(&problems);
}

#[test]
fn the_readme_is_one_page() {
    let readme = Document::read(&workspace().join("README.md"));
    let lines = readme.text.lines().count();
    assert!(
        lines <= 120,
        "expected at most 120 lines, found {lines}; the rest belongs into docs/"
    );
    for line in readme.text.lines() {
        assert!(
            line.chars().count() <= 120,
            "expected at most 120 columns, found more: {line}"
        );
    }
}

/// Help texts of the two programs by command, asked for once.
#[derive(Default)]
struct Help(BTreeMap<Vec<String>, String>);

impl Help {
    fn of(&mut self, command: &[String]) -> &str {
        self.0.entry(command.to_vec()).or_insert_with(|| {
            let program = if command[0] == "latco" {
                latco().to_owned()
            } else {
                latco_train()
            };
            let output = Command::new(&program)
                .args(&command[1..])
                .arg("--help")
                .output()
                .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
            assert!(
                output.status.success(),
                "{} --help ended with {}",
                command.join(" "),
                output.status
            );
            String::from_utf8(output.stdout).expect("help in UTF-8")
        })
    }

    /// Names of the commands below one; none for one that has none.
    fn below(&mut self, command: &[String]) -> Vec<String> {
        let help = self.of(command);
        let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
        let lines = list.lines().take_while(|line| !line.is_empty());
        // A name stands two columns in, a description that goes on in the next line further.
        let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        names
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    }

    /// What of `words`, a command of one of the programs, does not exist.
    fn missing(&mut self, words: &[&str]) -> Vec<String> {
        let mut commands = vec![vec![words[0].to_owned()]];
        let mut rest = &words[1..];
        while let [word, after @ ..] = rest {
            let names = self.below(&commands[0]);
            if names.is_empty() || !word.starts_with(|c: char| c.is_ascii_lowercase()) {
                break;
            }
            // `info|check` stands for both.
            let wanted: Vec<&str> = word.split('|').collect();
            if let Some(unknown) = wanted
                .iter()
                .find(|name| !names.iter().any(|known| known == *name))
            {
                return vec![format!("{} {unknown}", commands[0].join(" "))];
            }
            let parent = commands[0].clone();
            commands = wanted
                .iter()
                .map(|name| [parent.clone(), vec![(*name).to_owned()]].concat())
                .collect();
            rest = after;
        }
        let mut missing = Vec::new();
        for word in rest
            .iter()
            .take_while(|word| **word != "--ros-args" && **word != "|" && **word != "&&")
        {
            let Some(option) = word
                .trim_start_matches('[')
                .strip_prefix("--")
                .filter(|option| !option.is_empty())
            else {
                continue;
            };
            let option: String = option
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
                .collect();
            for command in &commands {
                let known = |help: &str| {
                    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                    words
                        .into_iter()
                        .any(|word| word.strip_prefix("--") == Some(&option))
                };
                if !known(self.of(command)) {
                    missing.push(format!("{} --{option}", command.join(" ")));
                }
            }
        }
        missing
    }
}

#[test]
fn every_command_and_option_exists() {
    let (mut help, mut problems, mut checked) = (Help::default(), Vec::new(), 0);
    for document in documents().iter().filter(|document| !document.is_history()) {
        for command in document.commands() {
            let mut words: Vec<&str> = command.split_whitespace().collect();
            words.retain(|word| *word != "sudo");
            if matches!(words[..], ["latco" | "latco-train", _, ..]) {
                checked += 1;
                let missing = help.missing(&words);
                problems.extend(
                    missing
                        .iter()
                        .map(|what| format!("{}: `{command}`: no {what}", document.name())),
                );
            }
        }
    }
    assert!(
        checked > 50,
        "expected the commands of the documents, found {checked}"
    );
    assert_none(&problems);
}

/// Folders of the packages by name.
fn packages() -> BTreeMap<String, PathBuf> {
    let listed = Command::new("git")
        .current_dir(workspace())
        .args(["ls-files", "*Cargo.toml"])
        .output()
        .expect("git lists the packages");
    let mut packages = BTreeMap::new();
    for path in String::from_utf8_lossy(&listed.stdout).lines() {
        let manifest = std::fs::read_to_string(workspace().join(path)).unwrap_or_default();
        let name = manifest
            .lines()
            .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        let folder = workspace().join(path).parent().map(Path::to_owned);
        if let (Some(name), Some(folder)) = (name, folder) {
            packages.insert(name.to_owned(), folder);
        }
    }
    packages
}

#[test]
fn every_block_of_commands_says_how_it_is_run_and_is_listed() {
    let list = std::fs::read_to_string(workspace().join("docs/commands.md")).expect("the list");
    let (mut problems, mut checked) = (Vec::new(), 0);
    for document in documents().iter().filter(|document| !document.is_history()) {
        for block in document.blocks.iter().filter(|block| block.is_shell()) {
            let place = format!("{}:{}", document.name(), block.line);
            let commands = block.commands();
            let programs = ["latco ", "latco-train ", "make ", "cargo "];
            let is_command =
                |line: &String| line.is_ascii() && programs.iter().any(|p| line.starts_with(p));
            match block.kind() {
                Some(kind) if KINDS.contains(&kind) => {
                    checked += 1;
                    let cells = commands
                        .iter()
                        .map(|command| format!("`{}`", command.replace('|', "\\|")));
                    problems.extend(cells.filter(|cell| !list.contains(cell)).map(|cell| {
                        format!("{place}: {cell}: not in docs/commands.md; run make book-commands")
                    }));
                }
                None if !commands.iter().any(is_command) => {}
                other => problems.push(format!(
                    "{place}: expected \"sh\" and one of {KINDS:?} after the fence, found {other:?}"
                )),
            }
        }
    }
    assert!(checked > 30, "expected blocks of commands, found {checked}");
    assert_none(&problems);
}

#[test]
fn every_page_is_a_chapter_of_the_book() {
    let summary = Document::read(&workspace().join("docs/SUMMARY.md"));
    let chapters: BTreeSet<PathBuf> = (summary.links().iter())
        .filter_map(|link| workspace().join("docs").join(link).canonicalize().ok())
        .collect();
    let missing: Vec<String> = (documents().iter())
        .filter(|d| d.name().starts_with("docs/") && !d.name().ends_with("SUMMARY.md"))
        .filter(|d| !chapters.contains(&d.path.canonicalize().expect("it exists")))
        .map(|d| format!("{}: not in docs/SUMMARY.md", d.name()))
        .collect();
    assert_none(&missing);
}

#[test]
fn every_make_target_and_cargo_target_exists() {
    let makefile = std::fs::read_to_string(workspace().join("Makefile")).expect("the Makefile");
    let packages = packages();
    let (mut problems, mut checked) = (Vec::new(), 0);
    for document in documents().iter().filter(|document| !document.is_history()) {
        let mut missing = |command: &str, what: String| {
            problems.push(format!("{}: `{command}`: no {what}", document.name()))
        };
        for command in document.commands() {
            let words: Vec<&str> = command.split_whitespace().collect();
            match words[..] {
                ["make", ref targets @ ..] => {
                    for target in targets.iter().filter(|word| !word.contains('=')) {
                        checked += 1;
                        if !makefile.contains(&format!("\n{target}:")) {
                            missing(&command, format!("target {target}"));
                        }
                    }
                }
                ["cargo", "test" | "run" | "build", ref arguments @ ..] => {
                    let after = |flags: &[&str]| -> Option<&str> {
                        let at = arguments.iter().position(|word| flags.contains(word))?;
                        arguments.get(at + 1).copied()
                    };
                    let Some(package) = after(&["-p", "--package"]) else {
                        continue;
                    };
                    checked += 1;
                    let Some(folder) = packages.get(package) else {
                        missing(&command, format!("package {package}"));
                        continue;
                    };
                    for (flag, kind) in [
                        ("--test", "tests"),
                        ("--example", "examples"),
                        ("--bin", "src/bin"),
                    ] {
                        let Some(name) = after(&[flag]) else { continue };
                        let manifest =
                            std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
                        let there = folder.join(kind).join(name).join("main.rs").exists()
                            || folder.join(kind).join(format!("{name}.rs")).exists()
                            || manifest.contains(&format!("\nname = \"{name}\"\npath"));
                        if !there {
                            missing(&command, format!("{flag} {name} in {package}"));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    assert!(
        checked > 10,
        "expected make and cargo commands in the documents, found {checked}"
    );
    assert_none(&problems);
}
