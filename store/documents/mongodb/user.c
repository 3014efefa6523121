#include "store/documents/mongodb/mongodb.h"

#define CODE_USER_EXISTS 51003

static void append_role(bson_t *roles, const char *key, const char *role, const char *database) {
    bson_t entry;
    BSON_APPEND_DOCUMENT_BEGIN(roles, key, &entry);
    BSON_APPEND_UTF8(&entry, "role", role);
    BSON_APPEND_UTF8(&entry, "db", database);
    bson_append_document_end(roles, &entry);
}

/* createUser and updateUser take the same arguments. */
static bson_t *command_of(const ir_mongodb_t *store, const char *verb,
                          const ir_documents_user_t *user) {
    bson_t *command = BCON_NEW(verb, BCON_UTF8(user->name), "pwd", BCON_UTF8(user->password),
                               "writeConcern", "{", "w", BCON_UTF8("majority"), "}");
    bson_t roles;
    BSON_APPEND_ARRAY_BEGIN(command, "roles", &roles);
    append_role(&roles, "0", "readWrite", store->database);
    append_role(&roles, "1", "clusterMonitor", "admin");
    if (user->may_shard) {
        append_role(&roles, "2", "clusterManager", "admin");
    }
    bson_append_array_end(command, &roles);
    return command;
}

ir_status_t ir_mongodb_grant(void *context, const ir_documents_user_t *user, ir_error_t *error) {
    const ir_mongodb_t *store = context;
    bson_error_t reason;
    bool good = ir_mongodb_command(store->client, "admin", command_of(store, "createUser", user),
                                   NULL, &reason);
    if (!good && reason.code == CODE_USER_EXISTS) {
        good = ir_mongodb_command(store->client, "admin", command_of(store, "updateUser", user),
                                  NULL, &reason);
    }
    return good ? IR_OK : ir_mongodb_failed(store, &reason, "cannot make the user", error);
}
