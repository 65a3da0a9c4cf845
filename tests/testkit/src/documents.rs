//! The Markdown files of the repository, and the commands in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths::workspace;

/// What a reader does with the commands of a block: the second word after the fence, as in "```sh run".
pub const KINDS: [&str; 4] = ["run", "together", "long", "by-hand"];

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// Number of the line with the opening fence, from 1.
    pub line: usize,
    /// What stands behind the fence.
    pub info: String,
    /// The lines between the fences, without indentation.
    pub lines: Vec<String>,
}

impl Block {
    /// Whether it holds commands of a shell; without a language it may.
    pub fn is_shell(&self) -> bool {
        matches!(self.info.split(' ').next(), None | Some("" | "sh" | "bash"))
    }

    /// Which of [`KINDS`] it is said to be.
    pub fn kind(&self) -> Option<&str> {
        self.info.split(' ').nth(1)
    }

    /// Its commands, with line continuations joined and without comments.
    pub fn commands(&self) -> Vec<String> {
        let text = self.lines.join("\n").replace("\\\n", " ");
        let lines = text.lines().map(|line| line.split(" #").next());
        let lines = lines.map(|line| line.unwrap_or_default().trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }
}

/// A Markdown file: its text with what is fenced, and without.
#[derive(Debug)]
pub struct Document {
    /// The file.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// What is not fenced.
    pub prose: String,
    /// What is.
    pub blocks: Vec<Block>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a tracked file is readable");
        let (mut prose, mut blocks, mut open) = (String::new(), Vec::new(), None::<Block>);
        for (number, line) in text.lines().enumerate() {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(info)) => {
                    open = Some(Block {
                        line: number + 1,
                        info: info.trim().to_owned(),
                        lines: Vec::new(),
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, None) => prose.extend([line, "\n"]),
                (Some(block), None) => block.lines.push(line.trim().to_owned()),
            }
        }
        Self {
            path: path.to_owned(),
            text,
            prose,
            blocks,
        }
    }

    /// Its path from the root of the repository.
    ///
    /// # Panics
    /// When it lies elsewhere.
    pub fn name(&self) -> String {
        let path = self.path.strip_prefix(workspace());
        path.expect("a file of the workspace").display().to_string()
    }

    /// Whether it tells what was, which later versions need not have.
    pub fn is_history(&self) -> bool {
        self.name() == "CHANGELOG.md" || self.name().starts_with("docs/decisions/")
    }

    /// Inline code.
    pub fn spans(&self) -> impl Iterator<Item = String> {
        let spans = self.prose.split('`').skip(1).step_by(2);
        spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Commands of blocks, and inline code.
    pub fn commands(&self) -> Vec<String> {
        let blocks = self.blocks.iter().filter(|block| block.is_shell());
        let fenced = blocks.flat_map(Block::commands);
        fenced.chain(self.spans()).collect()
    }

    /// The anchors that GitHub makes of the headings.
    pub fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        let slug = |heading: &str| -> String {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        headings.map(slug).collect()
    }

    /// Targets of links and pictures, without those on other hosts.
    pub fn links(&self) -> Vec<String> {
        let ends = self.prose.split("](").skip(1);
        let links = ends.filter_map(|rest| rest.split([')', ' ']).next());
        links
            .filter(|link| !link.contains("://"))
            .map(str::to_owned)
            .collect()
    }
}

/// All Markdown files that are tracked, or new and not ignored.
///
/// # Panics
/// When git does not list them.
pub fn documents() -> Vec<Document> {
    let listed = Command::new("git")
        .current_dir(workspace())
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.md",
        ])
        .output()
        .expect("git lists the Markdown files");
    let names = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let documents: Vec<Document> = names
        .lines()
        .map(|name| workspace().join(name))
        .filter(|path| path.exists())
        .map(|path| Document::read(&path))
        .collect();
    assert!(
        documents.len() > 10,
        "expected the Markdown files of the repository, found {}",
        documents.len()
    );
    documents
}

/// The command lines that begin with `program` in blocks of the documents, each with its place, as words.
pub fn command_lines(program: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for document in documents().iter().filter(|document| !document.is_history()) {
        for block in document.blocks.iter().filter(|block| block.is_shell()) {
            for command in block.commands() {
                // A line that is no shell's words, such as one with an apostrophe, is of no program.
                let words: Vec<String> = (shlex::split(&command).unwrap_or_default().into_iter())
                    .take_while(|word| !["|", "&&", "&", ">"].contains(&word.as_str()))
                    .collect();
                if words.first().is_some_and(|first| first == program) && command.is_ascii() {
                    found.push((format!("{}:{}", document.name(), block.line), words));
                }
            }
        }
    }
    found
}
