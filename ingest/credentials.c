#include "ingest/credentials.h"

#include <nettle/base64.h>

#include <string.h>
#include <strings.h>

#define PAIR_SIZE 1024 /* room for "MOTE:TOKEN" in base64 */

/* A mote's id may contain colons; a token does not. */
static ir_account_t *find_pair(const ir_tokens_t *tokens, ir_view_t pair) {
    const char *colon = pair.size > 0 ? memrchr(pair.data, ':', pair.size) : NULL;
    if (colon == NULL) {
        return NULL;
    }
    const size_t user = (size_t)(colon - pair.data);
    ir_account_t *account = ir_tokens_find(tokens, ir_view(colon + 1, pair.size - user - 1));
    return account != NULL && ir_view_equal(ir_view(pair.data, user), ir_view_text(account->mote))
               ? account
               : NULL;
}

static ir_account_t *find_basic(const ir_tokens_t *tokens, ir_view_t text) {
    uint8_t bytes[BASE64_DECODE_LENGTH(PAIR_SIZE)];
    size_t size = sizeof bytes;
    struct base64_decode_ctx decoding;
    base64_decode_init(&decoding);
    if (text.size > PAIR_SIZE ||
        !base64_decode_update(&decoding, &size, bytes, text.size, text.data) ||
        !base64_decode_final(&decoding)) {
        return NULL;
    }
    return find_pair(tokens, ir_view((const char *)bytes, size));
}

/* Returns the text after the scheme, or NULL. */
static const char *after(const char *header, const char *scheme) {
    const size_t size = strlen(scheme);
    if (strncasecmp(header, scheme, size) != 0 || header[size] != ' ') {
        return NULL;
    }
    return header + size + strspn(header + size, " ");
}

ir_account_t *ir_credentials_find(const ir_tokens_t *tokens, const char *header) {
    const char *bearer = after(header, "Bearer");
    if (bearer != NULL) {
        return ir_tokens_find(tokens, ir_view_text(bearer));
    }
    const char *basic = after(header, "Basic");
    return basic != NULL ? find_basic(tokens, ir_view_text(basic)) : NULL;
}
