#include "store/documents/sqlite/sqlite.h"

#define UUID_TEXT(column)                                                                          \
    "lower(substr(hex(" column "), 1, 8) || '-' || substr(hex(" column "), 9, 4) || '-' || "       \
    "substr(hex(" column "), 13, 4) || '-' || substr(hex(" column "), 17, 4) || '-' || "           \
    "substr(hex(" column "), 21))"
#define TIME_TEXT(column) "strftime('%Y-%m-%dT%H:%M:%fZ', " column " / 1e9, 'unixepoch')"
#define FLAG_TEXT(column)                                                                          \
    "CASE " column " WHEN 1 THEN 'good' WHEN 2 THEN 'not_evaluated' WHEN 3 THEN 'suspect' "        \
    "WHEN 4 THEN 'fail' WHEN 9 THEN 'missing' END"

/* The rule of store/command/newest.h. The severity of a flag is its position in '92134'
 * (annotation/quality/quality.h). */
#define SEVERITY(flag) "instr('92134', " flag ")"
#define FLAG_OF(severity) "substr('92134', " severity ", 1) + 0"

/* Items of lists: IR_QUALITY_TESTS(…). The first five begin with their separator. */
#define NEWEST(symbol, test, words, rdf)                                                           \
    ", " FLAG_OF("max(CASE test WHEN '" test "' THEN " SEVERITY("flag") " END)") " AS " test
#define HOLDS(symbol, test, words, rdf) ", coalesce(n." test ", o." test ") AS " test
#define NAMED(symbol, test, words, rdf) ", o." test
#define SEVERE(symbol, test, words, rdf) ", " SEVERITY("o." test)
#define REASON(symbol, test, words, rdf)                                                           \
    " || CASE o." test " WHEN 3 THEN '; " words " suspect' WHEN 4 THEN '; " words                  \
    " fail' ELSE '' END"
#define SHOWN(symbol, test, words, rdf) " o." test " AS " test ","

/* clang-format off */
const char ir_sqlite_views_sql[] =
    "DROP VIEW IF EXISTS newest_outcomes;"
    "CREATE VIEW newest_outcomes AS SELECT r.id AS raw, coalesce(o.at_ns, r.received_ns) AS at_ns,"
    " coalesce(o.status, r.status) AS status,"
    " CASE WHEN o.number IS NULL THEN r.refusals ELSE o.refusals END AS refusals"
    " FROM raw r LEFT JOIN outcomes o"
    " ON o.number = (SELECT max(number) FROM outcomes WHERE raw = r.id);"

    "DROP VIEW IF EXISTS newest_flags;"
    "CREATE VIEW newest_flags AS SELECT observation" IR_QUALITY_TESTS(NEWEST)
    " FROM revisions r WHERE (supersedes IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM revisions l WHERE l.observation = r.observation AND l.test = r.test"
    "  AND l.supersedes = r.id)) OR NOT EXISTS (SELECT 1 FROM revisions l"
    " WHERE l.observation = r.observation AND l.test = r.test AND l.supersedes IS NOT NULL)"
    " GROUP BY observation;"

    "DROP VIEW IF EXISTS newest_observations;"
    "CREATE VIEW newest_observations AS SELECT o.series, o.time_ns, o.id, o.sensor, o.raw,"
    " o.record, o.value, o.source_value, o.source_unit, o.sum, o.late"
    IR_QUALITY_TESTS(HOLDS) ", o.aggregate AS first_aggregate, CASE WHEN o.aggregate = 3 AND 3 NOT IN"
    " (0" IR_QUALITY_TESTS(NAMED) ") THEN 3 ELSE 9 END"
    " AS ahead FROM observations o LEFT JOIN newest_flags n ON n.observation = o.id;"

    "DROP VIEW IF EXISTS readable;"
    "CREATE VIEW readable AS SELECT " TIME_TEXT("o.time_ns") " AS time, s.mote AS mote,"
    " s.property AS property, o.value AS value, s.unit AS unit, "
    FLAG_TEXT(FLAG_OF("max(" SEVERITY("o.ahead") IR_QUALITY_TESTS(SEVERE) ")"))
    " AS quality, coalesce(nullif(substr(''" IR_QUALITY_TESTS(REASON) ", 3), ''),"
    " CASE o.ahead WHEN 3 THEN 'ahead of arrival suspect' ELSE '' END) AS reasons, "
    FLAG_TEXT("o.first_aggregate")
    " AS first_quality, o.source_value AS source_value, o.source_unit AS source_unit,"
    IR_QUALITY_TESTS(SHOWN) " o.late AS late,"
    " s.name AS sensor, s.feature_iri AS feature, " UUID_TEXT("o.id") " AS id, "
    UUID_TEXT("o.raw") " AS raw_id FROM newest_observations o JOIN sensors s ON s.id = o.sensor;"

    "DROP VIEW IF EXISTS readable_raw;"
    "CREATE VIEW readable_raw AS SELECT " TIME_TEXT("r.received_ns") " AS received,"
    " r.mote AS mote, r.content_type AS content_type, n.status AS status,"
    " n.refusals AS refusals, length(r.body) AS bytes,"
    " CASE WHEN r.content_type LIKE '%json%' THEN CAST(r.body AS TEXT) ELSE hex(r.body) END"
    " AS body, " UUID_TEXT("r.id") " AS id FROM raw r JOIN newest_outcomes n ON n.raw = r.id;";
/* clang-format on */
