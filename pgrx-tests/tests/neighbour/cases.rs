//! Statements that fail, or that the server has something to say about.

/// What the [`CASES`] need.
pub const SETUP: &str = "
    CREATE SCHEMA shop;
    CREATE TABLE shop.customer (id int PRIMARY KEY, name varchar(8) NOT NULL, code int UNIQUE);
    CREATE DOMAIN shop.positive AS int CONSTRAINT is_positive CHECK (VALUE > 0);
    CREATE TABLE shop.sale (
        id int PRIMARY KEY,
        customer_id int CONSTRAINT sale_customer REFERENCES shop.customer DEFERRABLE INITIALLY DEFERRED,
        amount int CONSTRAINT sale_amount CHECK (amount > 0),
        pieces shop.positive,
        during int4range,
        CONSTRAINT sale_during EXCLUDE USING gist (during WITH &&)
    );
    CREATE TABLE shop.part (id int NOT NULL, kind text) PARTITION BY LIST (kind);
    CREATE TABLE shop.part_a PARTITION OF shop.part FOR VALUES IN ('a');
    INSERT INTO shop.customer VALUES (1, 'Ada', 1);

    CREATE FUNCTION shop.divide(a int, b int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN a / b; END';
    CREATE FUNCTION shop.nested(depth int) RETURNS int LANGUAGE plpgsql AS
        'BEGIN IF depth = 0 THEN RETURN shop.divide(1, 0); END IF; RETURN shop.nested(depth - 1) + 1; END';
    CREATE FUNCTION shop.raises() RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'all of it' USING ERRCODE = 'ZZ123', DETAIL = 'the detail', HINT = 'the hint', SCHEMA = 'a schema',
                TABLE = 'a table', COLUMN = 'a column', DATATYPE = 'a type', CONSTRAINT = 'a constraint';
        END $$;
    CREATE FUNCTION shop.catches() RETURNS text LANGUAGE plpgsql AS $$
        DECLARE said text[]; a text; b text; c text; d text; e text; f text; g text; h text;
        BEGIN
            EXECUTE 'DO $x$ BEGIN PERFORM shop.raises(); END $x$';
            RETURN NULL;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS a = RETURNED_SQLSTATE, b = MESSAGE_TEXT, c = PG_EXCEPTION_DETAIL, d = PG_EXCEPTION_HINT,
                e = PG_EXCEPTION_CONTEXT, f = CONSTRAINT_NAME, g = TABLE_NAME, h = COLUMN_NAME;
            RAISE NOTICE 'caught % % % % % % % %', a, b, c, d, e, f, g, h;
            RAISE;
        END $$;
    CREATE FUNCTION shop.in_sql(text) RETURNS int LANGUAGE sql AS 'SELECT $1::int';
    CREATE FUNCTION shop.executes(statement text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE statement; END';
    CREATE FUNCTION shop.warns() RETURNS void LANGUAGE plpgsql AS
        $$BEGIN RAISE WARNING 'careful' USING DETAIL = 'of this', HINT = 'do that', CONSTRAINT = 'c'; END$$;
    CREATE FUNCTION shop.refuses() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'refused %', NEW.id USING ERRCODE = 'check_violation', CONSTRAINT = 'no_hundreds', TABLE = TG_TABLE_NAME; END$$;
    CREATE TRIGGER refuses BEFORE INSERT ON shop.customer FOR EACH ROW WHEN (NEW.id = 100) EXECUTE FUNCTION shop.refuses();
    CREATE CONSTRAINT TRIGGER refuses_late AFTER INSERT ON shop.customer DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.id = 200) EXECUTE FUNCTION shop.refuses();
    CREATE PROCEDURE shop.sell(customer int, commits boolean) LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO shop.sale (id, customer_id, amount) VALUES (1000 + customer, customer, 1);
            IF commits THEN COMMIT; END IF;
            PERFORM shop.divide(1, 0);
        END $$;
    PREPARE adds (int, text, int) AS INSERT INTO shop.customer VALUES ($1, $2, $3);
    PREPARE divides (int) AS SELECT shop.nested($1);
";

/// A name for each, and its statements, each of which is a message of its own.
pub const CASES: &[(&str, &[&str])] = &[
    (
        "syntax",
        &[
            "SELEKT 1",
            "SELECT 1 +",
            "SELECT 'open",
            "ALTER TABLE shop.customer ADD",
        ],
    ),
    (
        "names",
        &[
            "SELECT nothing FROM shop.customer",
            "SELECT * FROM shop.nowhere",
            "SELECT shop.divide('a')",
            "SELECT c.nam FROM shop.customer c",
        ],
    ),
    (
        "constraints of INSERT",
        &[
            "INSERT INTO shop.customer VALUES (1, 'Bob', 2)",
            "INSERT INTO shop.customer VALUES (2, NULL, 2)",
            "INSERT INTO shop.customer VALUES (2, 'longer than that', 2)",
            "INSERT INTO shop.sale (id, amount) VALUES (1, 0)",
            "INSERT INTO shop.sale (id, pieces) VALUES (1, 0)",
            "INSERT INTO shop.part VALUES (1, 'b')",
            "INSERT INTO shop.customer VALUES (100, 'C', 100)",
        ],
    ),
    (
        "COPY",
        &[
            "COPY shop.customer FROM PROGRAM 'printf \"5\\tx\\t5\\n1\\ty\\t6\\n\"'",
            "COPY shop.customer FROM PROGRAM 'printf \"5\\tx\\n\"'",
            "COPY shop.customer FROM PROGRAM 'printf \"five\\tx\\t5\\n\"'",
            "COPY shop.customer FROM PROGRAM 'printf \"5\\tlonger than that\\t5\\n\"'",
            "COPY shop.sale (id, amount) FROM PROGRAM 'printf \"5\\t-1\\n\"'",
            "COPY shop.customer FROM PROGRAM 'printf \"100\\tx\\t5\\n\"'",
            "COPY shop.customer (nothing) FROM STDIN",
            "COPY shop.customer FROM '/nonexistent'",
            "COPY shop.customer FROM PROGRAM 'exit 3'",
            "COPY (SELECT 1/0) TO PROGRAM 'cat >/dev/null'",
        ],
    ),
    (
        "DO",
        &[
            "DO $$ BEGIN INSERT INTO shop.customer VALUES (1, 'x', 9); END $$",
            "DO $$ BEGIN PERFORM shop.nested(3); END $$",
            "DO $$ BEGIN PERFORM shop.raises(); END $$",
            "DO $$ BEGIN PERFORM nothing; END $$",
            "DO $$ BEGIN nonsense END $$",
            "DO $$ BEGIN EXECUTE 'SELECT 1 +'; END $$",
            "DO $$ DECLARE a int NOT NULL := NULL; BEGIN END $$",
            "DO $$ BEGIN ASSERT 1 = 2, 'not so'; END $$",
            "DO LANGUAGE nolanguage ''",
        ],
    ),
    (
        "CALL",
        &[
            "CALL shop.sell(99, true)",
            "CALL shop.sell(1, true)",
            "CALL shop.sell(1, false)",
            "CALL shop.sell(1)",
            "CALL shop.nothing()",
            "BEGIN",
            "CALL shop.sell(2, true)",
            "ROLLBACK",
        ],
    ),
    (
        "EXECUTE",
        &[
            "EXECUTE adds(1, 'x', 9)",
            "EXECUTE adds(3, NULL, 9)",
            "EXECUTE adds(3, 'longer than that', 9)",
            "EXECUTE adds('a', 'b', 'c')",
            "EXECUTE adds(1)",
            "EXECUTE nothing",
            "EXECUTE divides(2)",
            "PREPARE wrong AS SELECT nothing",
        ],
    ),
    (
        "ALTER TABLE",
        &[
            "ALTER TABLE shop.customer ADD CONSTRAINT short CHECK (length(name) < 2)",
            "ALTER TABLE shop.customer ADD COLUMN other int NOT NULL",
            "ALTER TABLE shop.customer ALTER name TYPE int USING name::int",
            "ALTER TABLE shop.customer ALTER name TYPE int",
            "ALTER TABLE shop.customer DROP COLUMN nothing",
            "ALTER TABLE shop.customer DROP CONSTRAINT customer_pkey",
            "ALTER TABLE shop.customer ADD CHECK (nothing > 1)",
            "ALTER TABLE shop.sale ADD FOREIGN KEY (amount) REFERENCES shop.sale (amount)",
            "ALTER TABLE shop.part ATTACH PARTITION shop.customer FOR VALUES IN ('b')",
            "ALTER TABLE IF EXISTS shop.nothing ADD COLUMN a int",
            "ALTER DOMAIN shop.positive ADD CHECK (VALUE > nothing)",
        ],
    ),
    (
        "other definitions",
        &[
            "CREATE VIEW shop.v AS SELECT nothing FROM shop.customer",
            "CREATE VIEW shop.v AS SELECT 1 AS a, 2 AS a",
            "CREATE OR REPLACE VIEW shop.ok AS SELECT 1 AS a",
            "CREATE OR REPLACE VIEW shop.ok AS SELECT 'x'::text AS b",
            "CREATE TABLE shop.customer ()",
            "CREATE TABLE IF NOT EXISTS shop.customer ()",
            "CREATE TABLE shop.made AS SELECT 1/0 AS x",
            "CREATE TABLE shop.made (a int DEFAULT nothing)",
            "CREATE TABLE shop.made (a nosuchtype)",
            "CREATE MATERIALIZED VIEW shop.m AS SELECT shop.nested(1)",
            "CREATE INDEX ON shop.customer (shop.divide(id, 0))",
            "CREATE UNIQUE INDEX ON shop.customer ((1))",
            "CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql AS 'SELECT nothing'",
            "CREATE FUNCTION shop.f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN ; nonsense END'",
            "CREATE FUNCTION shop.f() RETURNS int LANGUAGE c AS '/nonexistent', 'f'",
            "CREATE TRIGGER t BEFORE INSERT ON shop.customer EXECUTE FUNCTION shop.divide()",
            "CREATE EXTENSION nothing_of_that_name",
            "DROP TABLE shop.customer",
            "DROP TABLE IF EXISTS shop.nothing",
            "DROP SCHEMA shop",
            "DROP ROLE nobody_of_that_name",
            "GRANT SELECT ON shop.nothing TO PUBLIC",
            "COMMENT ON COLUMN shop.customer.nothing IS 'x'",
            "TRUNCATE shop.customer",
            "VACUUM shop.nothing",
            "BEGIN",
            "VACUUM",
            "ROLLBACK",
            "LOCK TABLE shop.customer",
            "SET work_mem = 'a lot'",
            "SET no.such.setting = 1",
            "LOAD '/nonexistent'",
            "REFRESH MATERIALIZED VIEW shop.customer",
            "REINDEX TABLE shop.nothing",
            "CLUSTER shop.customer",
            "SELECT 1; SELECT 1/0; SELECT 2",
        ],
    ),
    (
        "EXPLAIN ANALYZE",
        &[
            "EXPLAIN ANALYZE INSERT INTO shop.customer VALUES (1, 'x', 9)",
            "EXPLAIN ANALYZE SELECT shop.nested(1)",
            "EXPLAIN SELECT nothing",
            "EXPLAIN (NOTHING) SELECT 1",
            "EXPLAIN ANALYZE EXECUTE divides(1)",
            "EXPLAIN ANALYZE CREATE TABLE shop.made AS SELECT shop.divide(1, 0)",
        ],
    ),
    (
        "constraints at the end",
        &[
            "INSERT INTO shop.sale (id, customer_id) VALUES (1, 50)",
            "BEGIN",
            "INSERT INTO shop.sale (id, customer_id) VALUES (1, 50)",
            "COMMIT",
            "BEGIN",
            "INSERT INTO shop.sale (id, customer_id) VALUES (1, 50)",
            "SET CONSTRAINTS ALL IMMEDIATE",
            "COMMIT",
            "BEGIN",
            "DELETE FROM shop.customer WHERE id = 1",
            "INSERT INTO shop.sale (id, customer_id) VALUES (1, 1)",
            "COMMIT",
            "INSERT INTO shop.customer VALUES (200, 'late', 200)",
            "INSERT INTO shop.sale (id, during) VALUES (10, '[1,5)'), (11, '[2,3)')",
            "DO $$ BEGIN INSERT INTO shop.sale (id, customer_id) VALUES (1, 50); SET CONSTRAINTS ALL IMMEDIATE; END $$",
        ],
    ),
    (
        "functions",
        &[
            "SELECT shop.nested(3)",
            "SELECT shop.raises()",
            "SELECT shop.catches()",
            "DO $$ BEGIN PERFORM shop.catches(); END $$",
            "SELECT shop.in_sql('x')",
            "SELECT shop.executes('SELECT 1 + nothing')",
            "SELECT shop.executes('ALTER TABLE shop.customer ADD COLUMN id int')",
            "SELECT shop.executes('DO $x$ BEGIN PERFORM shop.nested(1); END $x$')",
            "SELECT shop.executes('COPY shop.customer FROM PROGRAM ''echo one''')",
            "SELECT shop.executes('COMMIT')",
            "SELECT shop.warns()",
            "DO $$ BEGIN PERFORM shop.warns(); RAISE INFO 'i'; RAISE NOTICE 'n'; END $$",
            "SELECT 'x'::int, '2020-13-01'::date",
            "SELECT ('[1,2' || ')')::jsonb",
            "SELECT * FROM xmltable('/a' PASSING xml '<a' COLUMNS b int)",
        ],
    ),
    (
        "states",
        &[
            "BEGIN",
            "SAVEPOINT a",
            "INSERT INTO shop.customer VALUES (1, 'x', 9)",
            "SELECT 1",
            "ROLLBACK TO a",
            "ROLLBACK TO b",
            "COMMIT",
            "COMMIT",
            "BEGIN",
            "BEGIN",
            "COMMIT",
            "SAVEPOINT a",
            "BEGIN READ ONLY",
            "CREATE TABLE shop.made ()",
            "ROLLBACK",
            "COMMIT PREPARED 'nothing'",
            "SET LOCAL work_mem = '1MB'",
            "DECLARE c CURSOR FOR SELECT 1",
            "FETCH 1 FROM c",
            "CLOSE c",
        ],
    ),
    (
        "limits",
        &[
            "SET statement_timeout = '50ms'",
            "SELECT pg_sleep(60)",
            "DO $$ BEGIN PERFORM pg_sleep(60); END $$",
            "CALL shop.executes('x')",
            "RESET statement_timeout",
            "SET max_stack_depth = '200kB'",
            "DO $$ BEGIN PERFORM shop.nested(100000); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM; END $$",
            "RESET max_stack_depth",
            "SELECT repeat('x', 2000000000)",
        ],
    ),
    (
        "roles",
        &[
            "SET ROLE neighbour_nobody",
            "SELECT * FROM shop.customer",
            "ALTER TABLE shop.customer ADD COLUMN c int",
            "DROP TABLE shop.customer",
            "CREATE TABLE shop.mine ()",
            "COPY shop.customer FROM PROGRAM 'true'",
            "ALTER SYSTEM SET work_mem = '1MB'",
            "CREATE EXTENSION pg_visibility",
            "RESET ROLE",
        ],
    ),
];
