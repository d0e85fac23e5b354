//! What PostgreSQL itself shows of a statement that has a URL in it, as SECURITY.md says. The first half of these tests finds
//! secrets: what they look at is looked at for good reason.

use std::time::Duration;

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::site::Site;

use crate::search::Search;

fn site() -> Result<(Site, Client)> {
    let options = ClusterOptions::default()
        .set("shared_preload_libraries", "zentry_notify,pg_stat_statements")
        .set("pg_stat_statements.track", "all");
    let site = Site::start(options)?;
    let mut client = site.database("zentry")?;
    client.batch_execute("CREATE EXTENSION pg_stat_statements")?;
    Ok((site, client))
}

fn tracked(client: &mut Client) -> Result<String> {
    const SQL: &str = "SELECT coalesce(string_agg(query, E'\\n'), '') FROM pg_stat_statements";
    let text = client.query_one(SQL, &[])?.get(0);
    client.batch_execute("SELECT pg_stat_statements_reset()")?;
    Ok(text)
}

/// How often the URL was found.
fn found(url: &str, text: &str) -> usize {
    let mut search = Search::for_urls(&[url.to_owned()]);
    search.look_at("", text);
    search.found.len()
}

#[test]
fn pg_stat_statements_has_no_literal_of_a_select_but_those_of_a_utility_statement() -> Result<()> {
    let (site, mut client) = site()?;
    let url = site.emulator.discord_webhook().url();
    let register = format!("SELECT zentry_register_webhook('x', 'discord', '{url}')");

    client.batch_execute(&register)?;
    let text = tracked(&mut client)?;
    assert!(text.contains("zentry_register_webhook($1, $2, $3)"), "{text}");
    assert_eq!(found(&url, &text), 0, "{text}");

    client.batch_execute(&format!(
        "DO $$ BEGIN PERFORM {} END $$",
        register.replace("SELECT ", "") + ";"
    ))?;
    assert_eq!(
        found(&url, &tracked(&mut client)?),
        1,
        "DO is kept as it is written"
    );

    client.batch_execute(&format!(
        "SET pg_stat_statements.track_utility = off; DO $$ BEGIN PERFORM {} END $$",
        register.replace("SELECT ", "") + ";"
    ))?;
    assert_eq!(found(&url, &tracked(&mut client)?), 0);

    client.query_one("SELECT zentry_register_webhook('x', 'discord', $1)", &[&url])?;
    assert_eq!(found(&url, &tracked(&mut client)?), 0);
    Ok(())
}

#[test]
fn a_literal_is_logged_where_statements_are_and_a_parameter_where_it_is_not_told_to_be() -> Result<()> {
    let (site, mut client) = site()?;
    let url = site.emulator.discord_webhook().url();
    let literal = format!("SELECT zentry_register_webhook('x', 'slack', '{url}')");
    let parameter = "SELECT zentry_register_webhook('x', 'slack', $1)";
    let logged = |client: &mut Client, run: &dyn Fn(&mut Client)| -> Result<usize> {
        let start = site.cluster.log_end()?;
        run(client);
        // The line of the next statement comes after those of this one.
        client.batch_execute("DO $$ BEGIN RAISE LOG 'the end'; END $$")?;
        site.cluster
            .wait_for_log_since(start, "the end", Duration::from_secs(30))?;
        Ok(found(&url, &site.cluster.log_since(start)?))
    };
    let literally = |client: &mut Client| drop(client.batch_execute(&literal).expect_err("slack"));
    let as_parameter = |client: &mut Client| drop(client.query(parameter, &[&url]).expect_err("slack"));

    assert!(logged(&mut client, &literally)? > 0, "a statement that fails");
    assert_eq!(logged(&mut client, &as_parameter)?, 0);

    client.batch_execute("SET log_statement = 'all'")?;
    assert!(
        logged(&mut client, &as_parameter)? > 0,
        "parameters are logged with statements"
    );
    client.batch_execute("SET log_parameter_max_length = 0")?;
    assert_eq!(logged(&mut client, &as_parameter)?, 0);
    assert!(logged(&mut client, &literally)? > 0);

    // The three settings of SECURITY.md.
    client.batch_execute(
        "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'",
    )?;
    assert_eq!(logged(&mut client, &literally)?, 0);
    Ok(())
}
