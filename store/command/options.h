/* The settings of ir-store. */
#ifndef IR_STORE_COMMAND_OPTIONS_H
#define IR_STORE_COMMAND_OPTIONS_H

#include "annotation/settings.h"
#include "broker/settings.h"
#include "common/program.h"
#include "common/settings.h"
#include "store/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define IR_STORE_PROGRAM_SETTINGS(SETTING, GROUP) \
    GROUP(ir_store_settings_t, stores, IR_STORE_SETTINGS) \
    GROUP(ir_format_settings_t, format, IR_FORMAT_SETTINGS) \
    IR_REGISTRY_SETTING(SETTING, registry, " init puts them into the graph store.") \
    IR_TIMEOUT_SETTING(SETTING, timeout_ns, "30s", "a store") \
    SETTING(FLAG, again, "again", 0, NULL, NULL, 0, 0, NULL, \
        "init: only stores that were set up before; a store that came back empty is refused.") \
    SETTING(TEXT, shards, "shards", 0, "SETS", NULL, 0, 0, NULL, \
        "init on a mongos: replica sets to add as shards, SET/HOST:PORT[,HOST:PORT…], " \
        "separated by spaces.") \
    SETTING(TEXT, new_user, "new-user", 0, "NAME", NULL, 0, 0, NULL, \
        "initiate: create this MongoDB user, with permission to read and write the URI's " \
        "database, or change its password. The URI's user must be allowed to create users.") \
    SETTING(SECRET, new_user_password, "new-user-password", 0, "TEXT", NULL, 0, 0, NULL, \
        "Password of the new user.") \
    SETTING(CHOICE, new_user_may /* ir_store_may_t */, "new-user-may", 0, "WORD", "write|shard", 0, 0, "write", \
        "Permissions of the new user. shard: for config servers; also permits init on a " \
        "mongos.") \
    SETTING(TEXT, ledger, "ledger", 'l', "FILE", NULL, 0, 0, NULL, \
        "verify: ledgers that ir-loadgen wrote, separated by commas.") \
    SETTING(TEXT, known, "known", 0, "FILE", NULL, 0, 0, NULL, \
        "verify: ledgers of earlier runs, separated by commas. What they name is not foreign, " \
        "and may be missing.") \
    SETTING(CHOICE, what /* ir_store_what_t */, "what", 'w', "WORD", "documents|graph", 0, 0, "documents", \
        "export: the processed observations, or all statements as N-Quads; purge: both stores, " \
        "or the graph alone.") \
    SETTING(TEXT, output, "format", 'f', "NAME", NULL, 0, 0, "json", \
        "export: " IR_FORMAT_NAMES ", except sensorthings. json writes the documents, one a " \
        "line.") \
    SETTING(TEXT, property, "property", 0, "NAME", NULL, 0, 0, NULL, \
        "export: only of this property, by its short name.") \
    SETTING(TEXT, quality, "quality", 0, "LIST", NULL, 0, 0, NULL, \
        "export: only observations with one of these flags, for example good,not_evaluated.") \
    SETTING(CHOICE, verdict /* ir_store_verdict_t */, "verdict", 0, "WORD", "newest|first", 0, 0, "newest", \
        "export: the newest flags, or those that were stored first.") \
    SETTING(TEXT, after, "after", 0, "ID", NULL, 0, 0, NULL, \
        "export: continue after this observation, the last one of an earlier export.") \
    SETTING(FLAG, json, "json", 'j', NULL, NULL, 0, 0, NULL, \
        "status, verify, last, rejected, reprocess: answer in JSON, one object per line.") \
    SETTING(TEXT, mote, "mote", 'm', "NAME", NULL, 0, 0, NULL, \
        "rejected, reprocess, export, last: only of this mote; purge: of the motes of this " \
        "pattern, 'sim-*'.") \
    SETTING(TEXT, reason, "reason", 0, "WORD", NULL, 0, 0, NULL, \
        "rejected, reprocess: only messages with a refusal for this reason.") \
    SETTING(TEXT, since, "since", 0, "TIME", NULL, 0, 0, NULL, \
        "rejected, reprocess, purge: only messages that arrived at this time or later " \
        "(2026-01-31T12:00:00Z); export: only observations of this time or later.") \
    SETTING(TEXT, until, "until", 0, "TIME", NULL, 0, 0, NULL, \
        "rejected, reprocess, purge: only messages that arrived before this time; export: only " \
        "earlier observations.") \
    SETTING(INTEGER, limit, "limit", 0, "N", NULL, 0, 9e15, "0", \
        "rejected, reprocess: maximum number of messages; export: of observations; 0: all.") \
    SETTING(FLAG, queue, "queue", 'q', NULL, NULL, 0, 0, NULL, \
        "rejected: look at messages that the broker itself moved to ir.rejected, which no " \
        "worker read, instead of the documents.") \
    SETTING(FLAG, dry_run, "dry-run", 0, NULL, NULL, 0, 0, NULL, \
        "rejected replay, drop: only count.") \
    SETTING(FLAG, yes, "yes", 'y', NULL, NULL, 0, 0, NULL, \
        "purge: remove, instead of only counting; rejected drop: everything, without a " \
        "selection.") \
    SETTING(FLAG, missing, "missing", 0, NULL, NULL, 0, 0, NULL, \
        "reprocess: only messages with observations that the documents have and the graph " \
        "lacks.") \
    SETTING(DURATION, older_ns, "older-than", 0, "TIME", NULL, 0, 36500 * IR_DAY, "0s", \
        "purge: everything that arrived longer ago than this; with --what=graph, everything " \
        "that was observed longer ago.") \
    SETTING(TEXT, archive, "archive", 0, "DIR", NULL, 0, 0, NULL, \
        "purge --what=graph: folder for compressed N-Quads segments.") \
    SETTING(TEXT, with, "with", 0, "PATHS", NULL, 0, 0, NULL, \
        "backup: files and folders to include, separated by commas: registry, secrets, " \
        "inventory.") \
    SETTING(INTEGER, keep, "keep", 0, "N", NULL, 0, 100000, "0", \
        "backup: number of backups to keep; older ones are removed when the new one is " \
        "complete. 0: keep all.") \
    SETTING(CHOICE, store /* ir_store_which_t */, "store", 0, "WORD", "both|documents|graph", 0, 0, "both", \
        "restore: which store.") \
    SETTING(URI, from, "from", 0, "URI", NULL, 0, 0, NULL, \
        "reprocess: document store of an earlier release, to be converted into documents and " \
        "graph.") \
    GROUP(ir_broker_settings_t, broker, IR_BROKER_SETTINGS) \
    IR_TRUSTED_USERS_SETTING(SETTING, trusted_users) \
    GROUP(ir_analysis_settings_t, analysis, IR_ANALYSIS_SETTINGS) \
    SETTING(INTEGER, series, "series", 0, "N", NULL, 1, 10000000, "50000", \
        "reprocess: number of series whose recent points are kept in memory.") \
    SETTING(INTEGER, batch_observations, "batch-observations", 0, "N", NULL, 1, 1000000, "5000", \
        "reprocess: number of observations that are stored in one batch.") \
    IR_PROGRAM_SETTINGS(SETTING, core_dumps)
/* clang-format on */

/* Filled by common/settings.h, which owns the texts. */
typedef struct ir_store_options {
    IR_STORE_PROGRAM_SETTINGS(IR_SETTING_MEMBER, IR_SETTING_MEMBERS)
} ir_store_options_t;

typedef enum ir_store_which { IR_STORE_BOTH, IR_STORE_DOCUMENTS, IR_STORE_GRAPH } ir_store_which_t;
typedef enum ir_store_may { IR_MAY_WRITE, IR_MAY_SHARD } ir_store_may_t;

typedef enum ir_store_what { IR_WHAT_DOCUMENTS, IR_WHAT_GRAPH } ir_store_what_t;
typedef enum ir_store_verdict { IR_VERDICT_NEWEST, IR_VERDICT_FIRST } ir_store_verdict_t;

extern const ir_program_t ir_store_program;

#endif
