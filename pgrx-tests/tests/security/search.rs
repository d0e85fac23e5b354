//! Looking for what must not be found.

use std::fs;
use std::path::Path;

use aho_corasick::AhoCorasick;
use anyhow::Result;
use postgres::Client;

/// What must not be found, and where it was.
pub struct Search {
    secrets: Vec<String>,
    /// Of the secrets, once they are known.
    finder: Option<AhoCorasick>,
    pub found: Vec<String>,
}

impl Search {
    /// For every long part of these URLs that is not the same for all.
    pub fn for_urls(urls: &[String]) -> Self {
        Self::for_words(urls.iter().flat_map(|url| secrets(url)))
    }

    pub fn for_words(words: impl IntoIterator<Item = String>) -> Self {
        let mut search = Self {
            secrets: Vec::new(),
            finder: None,
            found: Vec::new(),
        };
        words.into_iter().for_each(|word| search.add(word));
        assert!(!search.secrets.is_empty(), "nothing to look for");
        search
    }

    /// Its beginning is enough: an error may have been cut.
    pub fn add(&mut self, mut word: String) {
        word.truncate(12);
        self.secrets.push(word);
        self.finder = None;
    }

    pub fn look_at(&mut self, place: &str, text: &str) {
        let finder = self
            .finder
            .get_or_insert_with(|| AhoCorasick::new(&self.secrets).expect("few and short words"));
        for found in finder.find_iter(text) {
            let start = text[..found.start()].rfind('\n').map_or(0, |end| end + 1);
            let line = text[start..].lines().next().unwrap_or_default();
            self.found.push(format!("{place}: {line}"));
        }
    }

    /// Message, detail, hint, context and whatever else an error has.
    pub fn look_at_error(&mut self, place: &str, error: &postgres::Error) {
        self.look_at(place, &format!("{error:?}"));
    }

    /// Every row of every table and view that the client's role may read, those of the catalogue included.
    pub fn look_at_what_is_readable(&mut self, client: &mut Client) -> Result<Vec<String>> {
        const READABLE: &str = "
            SELECT c.oid::regclass::text FROM pg_class c
             WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND has_schema_privilege(c.relnamespace, 'USAGE')
               AND has_any_column_privilege(c.oid, 'SELECT')
             ORDER BY 1";
        let relations: Vec<String> = client
            .query(READABLE, &[])?
            .iter()
            .map(|row| row.get(0))
            .collect();
        for relation in &relations {
            // Columns that the role may not read are left out; some views can't be read outside of their moment.
            let columns: Option<String> = client
                .query_one(
                    "SELECT string_agg(format('r.%I::text', a.attname), ', ') FROM pg_attribute a \
                      WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped \
                        AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')",
                    &[relation],
                )?
                .get(0);
            let Some(columns) = columns else { continue };
            let sql = format!(
                "SELECT coalesce(string_agg(concat_ws(' | ', {columns}), E'\\n'), '') FROM {relation} r"
            );
            if let Ok(row) = client.query_one(&sql, &[]) {
                self.look_at(relation, row.get(0));
            }
        }
        Ok(relations)
    }

    /// Every file below a directory.
    pub fn look_at_files(&mut self, directory: &Path) -> Result<usize> {
        let mut files = 0;
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            files += 1;
            self.look_at(
                &path.display().to_string(),
                &String::from_utf8_lossy(&fs::read(&path)?),
            );
        }
        Ok(files)
    }

    pub fn assert_nothing_found(&self) {
        assert!(self.found.is_empty(), "{:#?}", self.found);
    }
}

/// What of a URL gives it away.
fn secrets(url: &str) -> Vec<String> {
    let parts = url.split(['/', '?', '&', '=', '@']).filter(|part| {
        part.len() >= 16
            && !part.contains(':')
            && !part.chars().all(|c| c.is_ascii_digit())
            && !part.contains("%2F")
    });
    let parts: Vec<String> = parts.map(str::to_owned).collect();
    assert!(!parts.is_empty(), "no secret in {url}");
    parts
}
