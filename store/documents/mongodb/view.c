#include "common/buffer.h"
#include "store/documents/mongodb/mongodb.h"

#include <string.h>

/* The view `readable`: the rule of store/command/newest.h as an aggregation. The severity of a flag
 * is its index in SEVERITY (annotation/quality/quality.h), or -1 if it is not there. */
#define SEVERITY "[9,2,1,3,4]"
#define INDEX_OF(flag) "{\"$indexOfArray\":[" SEVERITY "," flag "]}"

static void append_test(ir_buffer_t *out, const char *format, int test) {
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == '@') {
            ir_buffer_append_text(out, ir_test_text((ir_test_t)test));
        } else if (*at == '#') { /* the name in words */
            ir_buffer_append_text(out, ir_test_words((ir_test_t)test));
        } else {
            ir_buffer_append_char(out, *at);
        }
    }
}

/* Writes `format` for every test, separated by commas. '@' stands for the test's name, '#' for its
 * words. */
static void append_tests(ir_buffer_t *out, const char *format) {
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        ir_buffer_append_text(out, test > 0 ? "," : "");
        append_test(out, format, test);
    }
}

static const char newest_flag[] =
    "\"@\":{\"$let\":{\"vars\":{\"of\":{\"$filter\":{\"input\":\"$revisions\",\"as\":\"r\","
    "\"cond\":{\"$eq\":[\"$$r.test\",\"@\"]}}}},\"in\":{\"$let\":{\"vars\":{\"again\":{\"$filter\":"
    "{"
    "\"input\":\"$$of\",\"as\":\"r\",\"cond\":{\"$and\":[{\"$gt\":[\"$$r.supersedes\",null]},"
    "{\"$not\":[{\"$in\":[\"$$r._id\",\"$$of.supersedes\"]}]}]}}}},\"in\":{\"$let\":{\"vars\":{"
    "\"held\":{\"$cond\":[{\"$eq\":[\"$$again\",[]]},\"$$of\",\"$$again\"]}},\"in\":{\"$cond\":["
    "{\"$eq\":[\"$$held\",[]]},\"$flags.@\",{\"$arrayElemAt\":[" SEVERITY ",{\"$max\":{\"$map\":{"
    "\"input\":\"$$held\",\"in\":" INDEX_OF("\"$$this.flag\"") "}}}]}]}}}}}}}";

static const char reason[] =
    "{\"$switch\":{\"branches\":[{\"case\":{\"$eq\":[\"$flags.@\",3]},\"then\":\"; # suspect\"},"
    "{\"case\":{\"$eq\":[\"$flags.@\",4]},\"then\":\"; # fail\"}],\"default\":\"\"}}";

static void append_stages(ir_buffer_t *out) {
    ir_buffer_append_text(
        out, "{\"pipeline\":[{\"$lookup\":{\"from\":\"" IR_MONGODB_REVISIONS
             "\",\"localField\":\"_id\",\"foreignField\":\"observation\",\"as\":\"revisions\"}},"
             "{\"$set\":{\"first_quality\":\"$quality\",\"ahead\":{\"$and\":[{\"$eq\":["
             "\"$aggregate\",3]},{\"$not\":[{\"$in\":[3,[");
    append_tests(out, "\"$flags.@\"");
    ir_buffer_append_text(out, "]]}]}]},\"flags\":{");
    append_tests(out, newest_flag);
    ir_buffer_append_text(out, "}}},{\"$set\":{\"reasons\":{\"$concat\":[");
    append_tests(out, reason);
    ir_buffer_append_text(out, "]},\"aggregate\":{\"$arrayElemAt\":[" SEVERITY ",{\"$max\":[");
    append_tests(out, INDEX_OF("\"$flags.@\""));
    ir_buffer_append_text(
        out, ",{\"$cond\":[\"$ahead\",3,0]}]}]}}},"
             "{\"$set\":{\"quality\":{\"$arrayElemAt\":[[\"missing\",\"not_evaluated\",\"good\","
             "\"suspect\",\"fail\"]," INDEX_OF(
                 "\"$aggregate\"") "]},"
                                   "\"reasons\":{\"$switch\":{\"branches\":["
                                   "{\"case\":{\"$ne\":[\"$reasons\",\"\"]},"
                                   "\"then\":{\"$substrCP\":[\"$reasons\",2,1000]}},"
                                   "{\"case\":\"$ahead\",\"then\":\"ahead of arrival "
                                   "suspect\"}],\"default\":\"\"}}}},"
                                   "{\"$unset\":[\"revisions\",\"ahead\"]}]}");
}

static bool create(const ir_mongodb_t *store, const bson_t *view, bson_error_t *error) {
    bson_t *command = BCON_NEW("create", BCON_UTF8(IR_MONGODB_READABLE), "viewOn",
                               BCON_UTF8(IR_MONGODB_OBSERVATIONS));
    bson_concat(command, view);
    return ir_mongodb_command(store->client, store->database, command, NULL, error);
}

static bool same_array(const bson_iter_t *one, const bson_iter_t *other) {
    const uint8_t *data[2];
    uint32_t size[2];
    if (!BSON_ITER_HOLDS_ARRAY(one) || !BSON_ITER_HOLDS_ARRAY(other)) {
        return false;
    }
    bson_iter_array(one, &size[0], &data[0]);
    bson_iter_array(other, &size[1], &data[1]);
    return size[0] == size[1] && memcmp(data[0], data[1], size[0]) == 0;
}

/* Whether the existing view has these stages. */
static bool is_current(const ir_mongodb_t *store, const bson_t *view) {
    mongoc_database_t *database = mongoc_client_get_database(store->client, store->database);
    bson_t *named = BCON_NEW("filter", "{", "name", BCON_UTF8(IR_MONGODB_READABLE), "}");
    mongoc_cursor_t *cursor = mongoc_database_find_collections_with_opts(database, named);
    const bson_t *listed;
    bson_iter_t options, there, wanted;
    const bool current = mongoc_cursor_next(cursor, &listed) && bson_iter_init(&options, listed) &&
                         bson_iter_find_descendant(&options, "options.pipeline", &there) &&
                         bson_iter_init_find(&wanted, view, "pipeline") &&
                         same_array(&there, &wanted);
    mongoc_cursor_destroy(cursor);
    bson_destroy(named);
    mongoc_database_destroy(database);
    return current;
}

/* Drops and makes a view again if its stages differ, because collMod needs permissions that the
 * role readWrite lacks. Another program may do the same at the same time. */
static bool make_again(const ir_mongodb_t *store, const bson_t *view, bson_error_t *error) {
    return ir_mongodb_command(store->client, store->database,
                              BCON_NEW("drop", BCON_UTF8(IR_MONGODB_READABLE)), NULL, error) &&
           (create(store, view, error) || error->code == IR_MONGODB_NAMESPACE_EXISTS);
}

bool ir_mongodb_make_view(const ir_mongodb_t *store, bson_error_t *error) {
    ir_buffer_t text;
    ir_buffer_init(&text);
    append_stages(&text);
    bson_t *view = ir_buffer_ok(&text)
                       ? bson_new_from_json((const uint8_t *)text.data, (ssize_t)text.size, error)
                       : NULL;
    ir_buffer_free(&text);
    if (view == NULL) {
        return false;
    }
    const bool good =
        create(store, view, error) || (error->code == IR_MONGODB_NAMESPACE_EXISTS &&
                                       (is_current(store, view) || make_again(store, view, error)));
    bson_destroy(view);
    return good;
}
