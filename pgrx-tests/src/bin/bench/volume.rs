//! What a notification takes: bytes of WAL, from the write to the recorded outcome, and bytes of the tables.

use anyhow::Result;

use crate::bed::{Audience, Bed, CHANNELS, Spread, Way, is_earlier};
use crate::figures::{Goal, Row, Samples, Unit};
use crate::load::Load;

const EVENTS: u32 = 5_000;
const COMPLETE: &str = "UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id = :id";

/// Bytes for each write.
#[derive(Clone, Copy, Debug)]
struct Taken {
    wal: f64,
    space: f64,
}

pub fn measure(bed: &mut Bed) -> Result<Vec<Row>> {
    crate::progress("WAL and space of a notification");
    // Which page is written first after a checkpoint is chance.
    bed.cluster
        .conf(&[("full_page_writes", "off"), ("autovacuum", "off")])?;
    let (mut bare, mut one, mut ten) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bed.effort.rounds {
        bare.push(taken(bed, Way::Bare)?);
        register(bed, 1)?;
        one.push(taken(bed, Way::Ours)?);
        register(bed, 10)?;
        ten.push(taken(bed, Way::Ours)?);
    }
    bed.cluster.conf(&[("full_page_writes", "on")])?;
    let wal = |taken: &[Taken]| taken.iter().map(|t| t.wal).collect::<Samples>();
    let space = |taken: &[Taken]| taken.iter().map(|t| t.space).collect::<Samples>();
    let row = |key: &str, what: &str, most: f64, ours: Samples, beside: Vec<(String, Samples)>| Row {
        key: key.to_owned(),
        what: what.to_owned(),
        unit: Unit::Bytes,
        goal: Some(Goal::AtMost(most)),
        ours,
        beside,
    };
    let further = space(&ten)
        .minus(&space(&one))
        .0
        .into_iter()
        .map(|more| more / 9.0)
        .collect();
    Ok(vec![
        row(
            "wal",
            "WAL beyond the bare write, from the write to the recorded outcome, one webhook",
            900.0,
            wal(&one).minus(&wal(&bare)),
            vec![("bare, all of a write".to_owned(), wal(&bare))],
        ),
        row(
            "wal-ten",
            "· the same with ten webhooks of the project",
            2_800.0,
            wal(&ten).minus(&wal(&bare)),
            Vec::new(),
        ),
        row(
            "space",
            "Space of a delivered event before vacuum, one webhook",
            800.0,
            space(&one),
            Vec::new(),
        ),
        row(
            "space-further",
            "· each further webhook",
            250.0,
            further,
            Vec::new(),
        ),
    ])
}

fn register(bed: &Bed, webhooks: usize) -> Result<()> {
    bed.register(
        Way::Ours,
        Audience {
            integrations: webhooks * CHANNELS,
            each: webhooks,
            ..Audience::default()
        },
    )
}

fn taken(bed: &Bed, way: Way) -> Result<Taken> {
    bed.refill(way, EVENTS, Spread::Even)?;
    let mut client = bed.connect(way)?;
    let log = match way {
        Way::Bare => "'{}'::regclass[]",
        _ if is_earlier(&mut client)? => "ARRAY['zentry_notify.notification_log'::regclass]",
        _ => {
            "ARRAY['zentry_notify.event'::regclass, 'zentry_notify.event_detail'::regclass, 'zentry_notify.delivery'::regclass]"
        }
    };
    let look = format!(
        "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, \
                (SELECT coalesce(sum(pg_total_relation_size(o)), 0)::bigint FROM unnest({log}) o)"
    );
    let mut look = || -> Result<(i64, i64)> {
        let row = client.query_one(&look, &[])?;
        Ok((row.get(0), row.get(1)))
    };
    let load = Load {
        statement: COMPLETE.to_owned(),
        clients: 1,
        synchronous: false,
        transactions: EVENTS,
    };
    let before = look()?;
    load.run(bed, way)?;
    if way != Way::Bare {
        bed.wait_until_sent(way)?;
    }
    let after = look()?;
    if bed.effort.records {
        explain(bed, way, before.0, after.0)?;
    }
    let each = |before: i64, after: i64| (after - before) as f64 / f64::from(EVENTS);
    Ok(Taken {
        wal: each(before.0, after.0),
        space: each(before.1, after.1),
    })
}

/// Says which records of WAL, of which relations, an interval is made of.
fn explain(bed: &Bed, way: Way, from: i64, to: i64) -> Result<()> {
    let mut client = bed.connect(way)?;
    client.batch_execute(
        "CREATE EXTENSION IF NOT EXISTS pg_walinspect; SELECT pg_logical_emit_message(true, '', '')",
    )?;
    let rows = client.query(
        "SELECT r.resource_manager || ' ' || r.record_type, coalesce(c.relname, '-')::text, count(*), sum(r.record_length)::bigint \
         FROM pg_get_wal_records_info('0/0'::pg_lsn + $1::bigint::numeric, '0/0'::pg_lsn + $2::bigint::numeric) r \
         LEFT JOIN pg_class c ON c.relkind IN ('r', 'i', 't') AND c.relfilenode <> 0 AND \
              c.relfilenode::text = substring(r.block_ref from 'rel [0-9]+/[0-9]+/([0-9]+)') \
         GROUP BY 1, 2 ORDER BY 4 DESC LIMIT 34",
        &[&from, &to],
    )?;
    eprintln!("{}:", way.name());
    for row in rows {
        let (what, relation, count, bytes): (String, String, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let each = bytes as f64 / f64::from(EVENTS);
        eprintln!("{each:>9.1} B an event {count:>8} {bytes:>10} {what:<28} {relation}");
    }
    Ok(())
}
