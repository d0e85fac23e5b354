//! The blocks of a page that are run, those in comments among them: they are hidden from readers.

use anyhow::{Result, bail};

/// Statements, and what psql answers if the page says so.
#[derive(Debug, PartialEq)]
pub struct Block {
    /// Where it begins in the page, from 1.
    pub line: usize,
    pub sql: String,
    pub when: When,
    /// A library of the server without which it cannot be run.
    pub library: Option<&'static str>,
    pub output: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Once,
    /// Again and again until the output is what the page says: for what the worker does in its own time.
    Eventually,
}

/// The page's `sql` blocks, each with the `output` block that follows it.
pub fn parse(page: &str) -> Result<Vec<Block>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let line = number + 1;
        let mut text = String::new();
        loop {
            match lines.next() {
                None => bail!("line {line}: the block has no end"),
                Some((_, "```")) => break,
                Some((_, inner)) => {
                    text.push_str(inner);
                    text.push('\n');
                }
            }
        }
        match info.trim() {
            "sql" | "sql eventually" | "sql wal2json" => blocks.push(Block {
                line,
                sql: text,
                when: if info.contains("eventually") {
                    When::Eventually
                } else {
                    When::Once
                },
                library: info.contains("wal2json").then_some("wal2json.so"),
                output: None,
            }),
            "output" => match blocks.last_mut() {
                Some(block) if block.output.is_none() => block.output = Some(text),
                _ => bail!("line {line}: an output without statements"),
            },
            // Of another language: shell, postgresql.conf.
            other if !other.starts_with("sql") => {}
            other => bail!("line {line}: what kind of block is \"{other}\"?"),
        }
    }
    if let Some(block) = blocks
        .iter()
        .find(|b| b.when == When::Eventually && b.output.is_none())
    {
        bail!("line {}: what is to be waited for?", block.line);
    }
    Ok(blocks)
}

#[test]
fn blocks_are_paired_with_their_outputs() {
    let page = "Text\n```sql\nSELECT 1;\n```\nso:\n```output\n 1\n```\n```sh\nls\n```\n```sql eventually\nTABLE a;\n```\n```output\nb\n```\n";
    let blocks = parse(page).unwrap();
    assert_eq!(blocks.len(), 2);
    assert_eq!(
        (blocks[0].line, &*blocks[0].sql, blocks[0].output.as_deref()),
        (2, "SELECT 1;\n", Some(" 1\n"))
    );
    assert_eq!(blocks[1].when, When::Eventually);
    let hidden = parse("<!-- Set-up of the test:\n```sql\nSELECT 2;\n```\n-->\n").unwrap();
    assert_eq!(hidden[0].sql, "SELECT 2;\n");
    for broken in [
        "```sql\nSELECT 1;\n",
        "```output\nx\n```\n",
        "```sql never\nSELECT 1;\n```\n",
        "```sql eventually\nSELECT 1;\n```\n",
    ] {
        assert!(parse(broken).is_err(), "{broken}");
    }
}
