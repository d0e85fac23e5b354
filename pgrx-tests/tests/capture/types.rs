//! Values of every type read the same whatever the session's settings, and read back as what they were.

use crate::support::Bed;

/// What a session may have set.
const HOSTILE: &str = "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kathmandu'; SET IntervalStyle = 'iso_8601'; \
                       SET extra_float_digits = -15; SET bytea_output = 'escape'; SET xmlbinary = 'hex'; SET search_path = ''";

/// What values are written under.
const PINNED: &str = "SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; \
                      SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmlbinary = 'base64'";

/// Writes the values under hostile settings, and compares what was recorded with what `to_jsonb` gives under the pinned ones: as
/// it is, or (`read_back`) after the text that was recorded is read again.
fn round_trip(bed: &mut Bed, kind: &str, values: &[&str], read_back: bool) {
    bed.session.run(&format!(
        "DROP TABLE IF EXISTS typed CASCADE; CREATE TABLE typed (id integer GENERATED ALWAYS AS IDENTITY, v {kind})"
    ));
    bed.attach("typed", &["id", "v"]);
    let mut writer = bed.connect();
    let prepared: Vec<String> = values.iter().map(|value| format!("({value})")).collect();
    bed.session.run(&format!(
        "DROP TABLE IF EXISTS given; CREATE TABLE given (n integer GENERATED ALWAYS AS IDENTITY, v {kind}); \
         INSERT INTO given (v) VALUES {}, (NULL)",
        prepared.join(", ")
    ));
    writer.run(HOSTILE);
    let lc = writer.client.batch_execute("SET lc_monetary = 'en_US.utf8'");
    drop(lc); // Not every machine has it.
    bed.session.run("TRUNCATE zentry_notify.event");
    let warnings = writer.run("INSERT INTO public.typed (v) SELECT v FROM public.given ORDER BY n");
    assert_eq!(warnings, [] as [&str; 0], "{kind}");
    let mut reader = bed.connect();
    reader.run(PINNED);
    let recorded = match read_back {
        true => format!("to_jsonb((e.data ->> 'v')::{kind})"),
        false => "(e.data -> 'v')::jsonb".to_owned(),
    };
    // A moment is a whole second and ends with Z, where to_jsonb has a fraction and the offset of UTC.
    let expected = match kind {
        "timestamptz" | "moment" => {
            "to_jsonb(replace(to_jsonb(date_trunc('second', t.v::timestamptz)) #>> '{}', '+00:00', 'Z'))"
        }
        // Names are written as they are found from nowhere.
        "regclass" => "to_jsonb(CASE t.v::text WHEN 'typed' THEN 'public.typed' ELSE t.v::text END)",
        _ => "to_jsonb(t.v)",
    };
    let rows = reader
        .client
        .query(
            &format!(
                "SELECT r IS NOT DISTINCT FROM x, format('%s is not %s: %s of %s', r, x, data, v) FROM ( \
                   SELECT nullif({recorded}, 'null') AS r, nullif({expected}, 'null') AS x, e.data::text AS data, t.v::text AS v \
                   FROM typed t JOIN zentry_notify.event e ON (e.data ->> 'id')::integer = t.id) c"
            ),
            &[],
        )
        .unwrap_or_else(|error| panic!("{kind}: {error:?}"));
    assert_eq!(rows.len(), values.len() + 1, "{kind}");
    for row in rows {
        assert!(row.get::<_, bool>(0), "{kind}: {}", row.get::<_, String>(1));
    }
}

fn as_is(bed: &mut Bed, kind: &str, values: &[&str]) {
    round_trip(bed, kind, values, false);
}

fn read_back(bed: &mut Bed, kind: &str, values: &[&str]) {
    round_trip(bed, kind, values, true);
}

#[test]
fn numbers() {
    let mut bed = Bed::start();
    let bed = &mut bed;
    as_is(bed, "smallint", &["-32768", "32767", "0"]);
    as_is(bed, "integer", &["-2147483648", "2147483647"]);
    as_is(bed, "bigint", &["-9223372036854775808", "9223372036854775807"]);
    as_is(bed, "boolean", &["true", "false"]);
    as_is(
        bed,
        "numeric",
        &[
            "1.10",
            "-0.000",
            "1e130000",
            "123456789012345678901234567890.5",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
        ],
    );
    as_is(bed, "numeric(10,2)", &["1", "12345.678"]);
    as_is(
        bed,
        "real",
        &[
            "0.1",
            "-0.0",
            "3.4e38",
            "1e-45",
            "16777216",
            "1e20",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
        ],
    );
    as_is(
        bed,
        "double precision",
        &[
            "0.1",
            "-0.0",
            "1.7976931348623157e308",
            "5e-324",
            "1e15",
            "1e16",
            "0.00001",
            "123456.789",
            "'NaN'",
            "'-Infinity'",
        ],
    );
    as_is(bed, "oid", &["4294967295"]);
    read_back(
        bed,
        "money",
        &["'1234.56'::numeric::money", "'-0.5'::numeric::money"],
    );
}

#[test]
fn texts() {
    let mut bed = Bed::start();
    let bed = &mut bed;
    let hard = &[
        "''",
        "'plain'",
        r#"'"quotes" \ and / slashes'"#,
        r"E'line\nbreak\ttab\r\b\f\x01\x1f\x7f'",
        "'ünï😀漢'",
        r"'\u0041 \ud800'",
        "'null'",
    ];
    as_is(bed, "text", hard);
    as_is(bed, "varchar(60)", hard);
    as_is(bed, "char(60)", hard);
    as_is(bed, "name", hard);
    as_is(bed, "\"char\"", &["'x'", "''"]);
    read_back(
        bed,
        "json",
        &["'{\"b\": 1, \"a\": [1, 2.50, null]}'", "'\"x\"'", "'17'"],
    );
    as_is(
        bed,
        "jsonb",
        &[
            "'{\"b\": 1, \"a\": [1, 2.50, null, \"\\u20ac\\n\"]}'",
            "'null'",
            "'\"x\"'",
            "'1e400'",
        ],
    );
    as_is(bed, "uuid", &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]);
    as_is(bed, "inet", &["'192.168.0.1/24'", "'::1'"]);
    as_is(bed, "macaddr", &["'08:00:2b:01:02:03'"]);
    as_is(bed, "bit varying", &["B'10101'"]);
    as_is(
        bed,
        "tsvector",
        &[
            "'a fat cat':: tsvector",
            "to_tsvector('english', 'The Fat ''Rats''')",
        ],
    );
    as_is(bed, "tsquery", &["'fat & (rat | cat)'"]);
    as_is(bed, "jsonpath", &["'$.a ? (@ > 1)'"]);
    as_is(bed, "pg_lsn", &["'16/B374D848'"]);
    as_is(bed, "xml", &["'<a b=\"c\">&lt;</a>'"]);
    as_is(bed, "regclass", &["'pg_class'", "'public.typed'"]);
    as_is(bed, "point", &["'(0.1,2)'"]);
    as_is(bed, "polygon", &["'((0.1,0),(1,1),(2,0))'"]);
    as_is(bed, "bytea", &[r"'\x00ff5c'", "''"]);
}

/// What json may have and jsonb may not is recorded as it is.
#[test]
fn json_that_jsonb_does_not_take_fails_no_write() {
    let mut bed = Bed::start();
    bed.session.run("CREATE TABLE typed (v json)");
    bed.attach("typed", &["v"]);
    let data = bed.recorded("row_written", |bed| {
        let warnings = bed
            .session
            .run(r#"INSERT INTO typed VALUES ('"\ud800"'), ('"\u0000"'), ('1e999999')"#);
        assert_eq!(warnings, [] as [&str; 0]);
    });
    let values: Vec<_> = data
        .iter()
        .map(|data| data["v"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(values, [r#""\ud800""#, r#""\u0000""#, "1e999999"]);
}

#[test]
fn dates_and_times() {
    let mut bed = Bed::start();
    let bed = &mut bed;
    let moments = &[
        "'2024-01-15 10:30:00+00'",
        "'2024-01-15 10:30:00.120000+05:45'",
        "'1999-12-31 23:59:59.999999-12'",
        "'0044-03-15 12:00:00+00 BC'",
        "'4713-01-01 00:00:00+00 BC'",
        "'10000-01-01 00:00:00+00'",
        "'294276-12-31 23:59:59+00'",
        "'0001-01-01 00:00:00+00'",
        "'infinity'",
        "'-infinity'",
    ];
    as_is(bed, "timestamptz", moments);
    as_is(bed, "timestamp", moments);
    as_is(
        bed,
        "date",
        &[
            "'2024-02-29'",
            "'0044-03-15 BC'",
            "'5874897-12-31'",
            "'4713-01-01 BC'",
            "'infinity'",
            "'-infinity'",
        ],
    );
    as_is(bed, "time", &["'00:00'", "'24:00'", "'10:30:00.5'"]);
    as_is(bed, "timetz", &["'10:30:00.5+05:45'"]);
    read_back(
        bed,
        "interval",
        &["'1 year 2 mons -3 days 04:05:06.7'", "'-1 day'", "'0'"],
    );
}

#[test]
fn what_consists_of_others() {
    let mut bed = Bed::start();
    let bed = &mut bed;
    bed.session.run(
        "CREATE TYPE mood AS ENUM ('sad', 'o''k \"', 'happy'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0); \
         CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN words AS text[]; \
         CREATE TYPE pair AS (a timestamptz, b real, c bytea, d interval); CREATE DOMAIN checked_pair AS pair; \
         CREATE TYPE nested AS (p pair, m mood[], n numeric)",
    );
    as_is(bed, "mood", &["'sad'", "'o''k \"'"]);
    as_is(bed, "positive", &["1"]);
    as_is(bed, "moment", &["'2024-01-15 10:30:00.5+00'"]);
    read_back(bed, "words", &["'{a,NULL,\"b c\"}'"]);
    read_back(
        bed,
        "integer[]",
        &["'{1,2,NULL}'", "'{}'", "'[0:1]={5,6}'", "'{{1,2},{3,4}}'"],
    );
    read_back(bed, "real[]", &["'{0.1,NaN,-Infinity}'"]);
    read_back(
        bed,
        "timestamptz[]",
        &["'{2024-01-15 10:30:00+05:45,infinity,\"0044-03-15 12:00:00+00 BC\"}'"],
    );
    read_back(bed, "money[]", &["ARRAY[1234.5::numeric::money]"]);
    read_back(
        bed,
        "pair",
        &[r"ROW('2024-01-15 10:30+00', 0.1, '\x5c00', '1 day 2 hours')::pair"],
    );
    read_back(
        bed,
        "checked_pair",
        &[r"ROW('2024-01-15 10:30+00', 0.1, '\x5c00', '-1 day')::pair"],
    );
    read_back(
        bed,
        "nested",
        &[r"ROW(ROW('2024-01-15 10:30+00', 0.1, '\x5c', '1 mon')::pair, '{happy,sad}', 1.50)::nested"],
    );
    read_back(
        bed,
        "pair[]",
        &[r"ARRAY[ROW('2024-01-15 10:30+00', 0.1, '\x5c', '1 mon')::pair]"],
    );
    as_is(
        bed,
        "tstzrange",
        &["'[2024-01-15 10:30+05:45,infinity)'", "'empty'", "'(,)'"],
    );
    as_is(bed, "daterange", &["'[2024-01-15,2024-02-01]'"]);
    as_is(bed, "numrange", &["'[1.10,2)'"]);
    as_is(
        bed,
        "tsmultirange",
        &["'{[2024-01-15 10:30,2024-01-16), [2025-01-01,)}'"],
    );
}

#[test]
fn types_of_extensions() {
    let mut bed = Bed::start();
    let bed = &mut bed;
    bed.session.run(
        "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION cube",
    );
    as_is(bed, "citext", &["'MiXed \"q\" ü'"]);
    read_back(bed, "hstore", &["'a=>1, \"b c\"=>NULL'"]);
    as_is(bed, "ltree", &["'Top.Science'"]);
    as_is(bed, "cube", &["'(0.1,2),(3,4)'"]);
    read_back(bed, "hstore[]", &["ARRAY['a=>1'::hstore]"]);
}
