//! docs/operations.md's queries, as its readers would run them.

use anyhow::{Context, Result};
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::site::{Site, wait_for_counters};

const PAGE: &str = include_str!("../../../docs/operations.md");
/// What the page says that the role of a collector needs.
const GRANTS: &str = "GRANT pg_monitor TO monitor; SELECT zentry_grant('monitor', 'reader')";

fn monitored() -> Result<(Site, Client)> {
    let site = Site::start(ClusterOptions::default())?;
    let (mut client, _) = site.served("zentry")?;
    wait_for_counters(&mut client, 1)?;
    assert!(PAGE.contains(GRANTS));
    client.batch_execute(&format!("CREATE ROLE monitor LOGIN; {GRANTS}"))?;
    let reader = site.cluster.connect_as("monitor", "zentry")?;
    Ok((site, reader))
}

/// The section's code, without its indentation.
fn code(section: &str) -> String {
    let (_, rest) = PAGE
        .split_once(&format!("\n## {section}\n"))
        .expect("the section");
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let code: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    code.join("\n")
}

#[test]
fn every_query_of_the_page_runs_as_a_reader_and_says_something() -> Result<()> {
    let (_site, mut reader) = monitored()?;
    let code = code("Monitor");
    let sql = code.split("zentry_notify_queue:").next().unwrap_or_default();
    let statements: Vec<_> = sql
        .split_inclusive(';')
        .filter(|text| text.contains("SELECT"))
        .collect();
    assert!(statements.len() >= 8, "{statements:#?}");
    for statement in statements {
        let rows = reader
            .query(statement, &[])
            .with_context(|| statement.to_owned())?;
        assert!(!rows.is_empty(), "{statement} found nothing");
    }
    Ok(())
}

#[test]
fn the_exporters_settings_name_the_columns_of_their_queries() -> Result<()> {
    let (_site, mut reader) = monitored()?;
    let code = code("Monitor");
    let queries: Vec<_> = code.split("query: \"").skip(1).collect();
    assert!(queries.len() >= 6, "{code}");
    for text in queries {
        let (query, rest) = text.split_once("\"\n").context("the query's end")?;
        let metrics = rest.split_once("metrics:").context("metrics")?.1;
        let named: Vec<_> = metrics
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- ")?.split(':').next())
            .collect();
        let row = reader.query_one(query, &[]).with_context(|| query.to_owned())?;
        let columns: Vec<_> = row.columns().iter().map(|column| column.name()).collect();
        assert_eq!(named, columns, "{query}");
        if named == ["launchers"] {
            assert_eq!(row.get::<_, i64>(0), 1, "{query}");
        }
    }
    Ok(())
}
