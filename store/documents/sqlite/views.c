#include "store/documents/sqlite/sqlite.h"

#define UUID_TEXT(column)                                                                          \
    "lower(substr(hex(" column "), 1, 8) || '-' || substr(hex(" column "), 9, 4) || '-' || "       \
    "substr(hex(" column "), 13, 4) || '-' || substr(hex(" column "), 17, 4) || '-' || "           \
    "substr(hex(" column "), 21))"
#define TIME_TEXT(column) "strftime('%Y-%m-%dT%H:%M:%fZ', " column " / 1e9, 'unixepoch')"
#define FLAG_TEXT(column)                                                                          \
    "CASE " column " WHEN 1 THEN 'good' WHEN 2 THEN 'not_evaluated' WHEN 3 THEN 'suspect' "        \
    "WHEN 4 THEN 'fail' WHEN 9 THEN 'missing' END"

/* The rule of store/command/newest.h. Severity is the place in '92134'
 * (annotation/quality/quality.h). */
#define SEVERITY(flag) "instr('92134', " flag ")"
#define FLAG_OF(severity) "substr('92134', " severity ", 1) + 0"
#define NEWEST(test)                                                                               \
    FLAG_OF("max(CASE test WHEN '" test "' THEN " SEVERITY("flag") " END)") " AS " test
#define HOLDS(test) "coalesce(n." test ", o." test ") AS " test
#define REASON(test, words)                                                                        \
    "CASE o." test " WHEN 3 THEN '; " words " suspect' WHEN 4 THEN '; " words " fail' ELSE '' END"

/* clang-format off */
const char ir_sqlite_views_sql[] =
    "DROP VIEW IF EXISTS newest_outcomes;"
    "CREATE VIEW newest_outcomes AS SELECT r.id AS raw, coalesce(o.at_ns, r.received_ns) AS at_ns,"
    " coalesce(o.status, r.status) AS status,"
    " CASE WHEN o.number IS NULL THEN r.refusals ELSE o.refusals END AS refusals"
    " FROM raw r LEFT JOIN outcomes o"
    " ON o.number = (SELECT max(number) FROM outcomes WHERE raw = r.id);"

    "DROP VIEW IF EXISTS newest_flags;"
    "CREATE VIEW newest_flags AS SELECT observation, " NEWEST("gross_range") ", "
    NEWEST("climatology") ", " NEWEST("spike") ", " NEWEST("rate_of_change") ", "
    NEWEST("flat_line") " FROM revisions r WHERE (supersedes IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM revisions l WHERE l.observation = r.observation AND l.test = r.test"
    "  AND l.supersedes = r.id)) OR NOT EXISTS (SELECT 1 FROM revisions l"
    " WHERE l.observation = r.observation AND l.test = r.test AND l.supersedes IS NOT NULL)"
    " GROUP BY observation;"

    "DROP VIEW IF EXISTS newest_observations;"
    "CREATE VIEW newest_observations AS SELECT o.series, o.time_ns, o.id, o.sensor, o.raw,"
    " o.record, o.value, o.source_value, o.source_unit, o.sum, o.late, " HOLDS("gross_range") ", "
    HOLDS("climatology") ", " HOLDS("spike") ", " HOLDS("rate_of_change") ", "
    HOLDS("flat_line") ", o.aggregate AS first_aggregate, CASE WHEN o.aggregate = 3 AND 3 NOT IN"
    " (o.gross_range, o.climatology, o.spike, o.rate_of_change, o.flat_line) THEN 3 ELSE 9 END"
    " AS ahead FROM observations o LEFT JOIN newest_flags n ON n.observation = o.id;"

    "DROP VIEW IF EXISTS readable;"
    "CREATE VIEW readable AS SELECT " TIME_TEXT("o.time_ns") " AS time, s.mote AS mote,"
    " s.property AS property, o.value AS value, s.unit AS unit, "
    FLAG_TEXT(FLAG_OF("max(" SEVERITY("o.gross_range") ", " SEVERITY("o.climatology") ", "
    SEVERITY("o.spike") ", " SEVERITY("o.rate_of_change") ", " SEVERITY("o.flat_line") ", "
    SEVERITY("o.ahead") ")"))
    " AS quality, coalesce(nullif(substr(" REASON("gross_range", "gross range") " || "
    REASON("climatology", "climatology") " || " REASON("spike", "spike") " || "
    REASON("rate_of_change", "rate of change") " || " REASON("flat_line", "flat line")
    ", 3), ''), CASE o.ahead WHEN 3 THEN 'ahead of arrival suspect' ELSE '' END) AS reasons, "
    FLAG_TEXT("o.first_aggregate")
    " AS first_quality, o.source_value AS source_value, o.source_unit AS source_unit,"
    " o.gross_range AS gross_range, o.climatology AS climatology, o.spike AS spike,"
    " o.rate_of_change AS rate_of_change, o.flat_line AS flat_line, o.late AS late,"
    " s.name AS sensor, s.feature_iri AS feature, " UUID_TEXT("o.id") " AS id, "
    UUID_TEXT("o.raw") " AS raw_id FROM newest_observations o JOIN sensors s ON s.id = o.sensor;"

    "DROP VIEW IF EXISTS readable_raw;"
    "CREATE VIEW readable_raw AS SELECT " TIME_TEXT("r.received_ns") " AS received,"
    " r.mote AS mote, r.content_type AS content_type, n.status AS status,"
    " n.refusals AS refusals, length(r.body) AS bytes,"
    " CASE WHEN r.content_type LIKE '%json%' THEN CAST(r.body AS TEXT) ELSE hex(r.body) END"
    " AS body, " UUID_TEXT("r.id") " AS id FROM raw r JOIN newest_outcomes n ON n.raw = r.id;";
/* clang-format on */
