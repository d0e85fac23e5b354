//! A webhook's URL is written when it is new, and no change of its row repeats it.

use anyhow::Result;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::register;
use zentry_e2e::site::Site;

/// What sees every change: logical decoding, and a trigger that is handed the whole row.
#[test]
fn changes_of_a_webhook_do_not_have_its_url() -> Result<()> {
    const WATCH: &str = "
        CREATE TABLE public.seen (operation text, row text);
        GRANT INSERT ON public.seen TO PUBLIC;
        CREATE FUNCTION public.watch() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN INSERT INTO public.seen VALUES (TG_OP, OLD::text || NEW::text); RETURN NULL; END $$;
        CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON zentry_notify.webhook FOR EACH ROW EXECUTE FUNCTION public.watch()";
    const DECODED: &str =
        "SELECT coalesce(string_agg(data, E'\\n'), '') FROM pg_logical_slot_get_changes('watch', NULL, NULL)";
    const SEEN: &str = "SELECT coalesce(string_agg(row, E'\\n'), '') FROM public.seen";
    let site = Site::start(ClusterOptions::default().set("wal_level", "logical"))?;
    let mut client = site.database("zentry")?;
    client.batch_execute("ALTER DATABASE zentry SET zentry_notify.sending = off")?;
    client.batch_execute(WATCH)?;
    client.query(
        "SELECT pg_create_logical_replication_slot('watch', 'test_decoding')",
        &[],
    )?;
    let webhook = site.emulator.register(Kind::Discord);
    let id = register(&mut client, &webhook, None, None)?;
    let secret = webhook.url().rsplit_once('/').expect("a token").1.to_owned();
    let decoded: String = client.query_one(DECODED, &[])?.get(0);
    assert_eq!(
        decoded.matches(&secret).count(),
        1,
        "where it is new it is written once: {decoded}"
    );

    for change in [
        "UPDATE zentry_notify.webhook_integration SET name = 'other'",
        "UPDATE zentry_notify.webhook_integration SET webhook_url = webhook_url, is_active = false",
        "SELECT zentry_update_webhook(1, is_active => true, filter => '$.points > 3')",
        // What the worker does when an endpoint is gone.
        "SET ROLE zentry_notify_agent; \
         UPDATE zentry_notify.webhook SET is_active = false, switched_off_at = now(), switched_off_reason = 'gone'; RESET ROLE",
    ] {
        client.batch_execute(change)?;
        let decoded: String = client.query_one(DECODED, &[])?.get(0);
        assert!(decoded.contains("zentry_notify.webhook:"), "{change}: {decoded}");
        assert!(!decoded.contains(&secret), "{change}: {decoded}");
    }
    let seen: String = client.query_one(SEEN, &[])?.get(0);
    assert!(seen.contains("other") && !seen.contains(&secret), "{seen}");

    // Another one is written once, too, and starts afresh.
    let new = site.emulator.register(Kind::Discord);
    client.execute(
        "SELECT zentry_update_webhook($1, webhook_url => $2)",
        &[&id, &new.url()],
    )?;
    let decoded: String = client.query_one(DECODED, &[])?.get(0);
    let new_secret = new.url().rsplit_once('/').expect("a token").1.to_owned();
    assert_eq!(decoded.matches(&new_secret).count(), 1, "{decoded}");
    assert!(
        !decoded.contains(&secret),
        "the old one is not repeated: {decoded}"
    );
    let row = client.query_one(
        "SELECT is_active AND switched_off_at IS NULL AND webhook_url = $1 FROM zentry_notify.webhook_integration",
        &[&new.url()],
    )?;
    assert!(row.get::<_, bool>(0));
    Ok(())
}

/// A form saves whole rows: what somebody else has changed meanwhile stays.
#[test]
fn a_whole_row_that_is_saved_takes_nothing_back() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let webhook = site.emulator.register(Kind::Discord);
    register(&mut client, &webhook, None, None)?;
    let mut form = site.connect("zentry")?;
    form.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")?;
    let mut writer = site.connect("zentry")?;
    writer.batch_execute("BEGIN; UPDATE zentry_notify.webhook SET is_active = false, switched_off_at = now(), switched_off_reason = 'gone'")?;
    // It waits for the writer, with the row as it was before.
    let save = std::thread::spawn(move || -> Result<postgres::Client> {
        form.batch_execute(
            "UPDATE zentry_notify.webhook_integration \
             SET name = 'Renamed', webhook_type = webhook_type, webhook_url = webhook_url, is_active = is_active, event_types = event_types; COMMIT",
        )?;
        Ok(form)
    });
    zentry_e2e::site::wait_for(
        &mut client,
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'UPDATE zentry_notify.webhook_integration%' AND wait_event_type = 'Lock')",
    )?;
    writer.batch_execute("COMMIT")?;
    save.join().expect("the thread")?;
    let row = client.query_one(
        "SELECT name::text, is_active, switched_off_reason FROM zentry_notify.webhook_integration",
        &[],
    )?;
    assert_eq!(
        (
            row.get::<_, &str>(0),
            row.get::<_, bool>(1),
            row.get::<_, &str>(2)
        ),
        ("Renamed", false, "gone")
    );
    Ok(())
}
