/* Tokens: their file, the look-up, the headers, and issuing. Also the rate limits of motes, and
 * trusted proxies. */
#include "common/clock.h"
#include "ingest/bucket.h"
#include "ingest/credentials.h"
#include "ingest/issue.h"
#include "ingest/proxies.h"
#include "ingest/tokens.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SHA_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA_OF_DEF "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34"
#define SHA_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char folder[] = "/tmp/ir-tokens-XXXXXX";
static char path[64], names[64];

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/tokens", folder);
    snprintf(names, sizeof names, "%s/names", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    unlink(names);
    return rmdir(folder);
}

static void write_file(const char *where, const char *text) {
    FILE *file = fopen(where, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static ir_account_t *find(const ir_tokens_t *tokens, const char *token) {
    return ir_tokens_find(tokens, ir_view_text(token));
}

static void tokens_are_found_by_their_hash(void **state) {
    (void)state;
    ir_tokens_t *tokens = NULL;
    ir_error_t error;
    write_file(path, "# motes\n\n  creek-1   sha256:" SHA_OF_ABC "  \r\n"
                     "creek-1 sha256:" SHA_OF_NOTHING);
    assert_int_equal(ir_tokens_load(path, &tokens, &error), IR_OK);
    assert_int_equal(ir_tokens_count(tokens), 2);
    assert_int_equal(ir_tokens_motes(tokens), 1);
    assert_string_equal(find(tokens, "abc")->mote, "creek-1");
    assert_null(find(tokens, "abd"));
    assert_null(find(tokens, ""));
    assert_null(find(tokens, SHA_OF_ABC));
    ir_tokens_free(tokens);
    write_file(path, "");
    assert_int_equal(ir_tokens_load(path, &tokens, &error), IR_OK);
    assert_null(find(tokens, "abc"));
    ir_tokens_free(tokens);
}

static void expect_sender(const ir_tokens_t *tokens, const char *header, const char *mote) {
    const ir_account_t *account = ir_credentials_find(tokens, header);
    assert_true((account != NULL) == (mote != NULL));
    if (account != NULL && mote != NULL) {
        assert_string_equal(account->mote, mote);
    }
}

static void senders_are_known_by_bearer_and_basic(void **state) {
    (void)state;
    ir_tokens_t *tokens = NULL;
    ir_error_t error;
    write_file(path, "creek-1 sha256:" SHA_OF_ABC "\nurn:dev:1 sha256:" SHA_OF_DEF "\n");
    assert_int_equal(ir_tokens_load(path, &tokens, &error), IR_OK);
    expect_sender(tokens, "Bearer abc", "creek-1");
    expect_sender(tokens, "bearer  abc", "creek-1");
    expect_sender(tokens, "Bearer", NULL);
    expect_sender(tokens, "Bearerabc", NULL);
    expect_sender(tokens, "Bearer abd", NULL);
    expect_sender(tokens, "Basic Y3JlZWstMTphYmM=", "creek-1"); /* creek-1:abc */
    expect_sender(tokens, "BASIC   Y3JlZWstMTphYmM=", "creek-1");
    expect_sender(tokens, "Basic dXJuOmRldjoxOmRlZg==", "urn:dev:1"); /* urn:dev:1:def */
    expect_sender(tokens, "Basic Y3JlZWstMjphYmM=", NULL);            /* creek-2:abc */
    expect_sender(tokens, "Basic OmFiYw==", NULL);                    /* :abc */
    expect_sender(tokens, "Basic YWJj", NULL);                        /* abc */
    expect_sender(tokens, "Basic Y3JlZWstMTphYmM", NULL);             /* no padding */
    expect_sender(tokens, "Basic ", NULL);
    expect_sender(tokens, "Digest abc", NULL);
    expect_sender(tokens, "", NULL);
    char longest[2000] = "Basic ";
    memset(longest + strlen(longest), 'A', sizeof longest - 1 - strlen(longest));
    expect_sender(tokens, longest, NULL);
    ir_tokens_free(tokens);
}

static void a_bad_line_is_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"\ncreek-1\n", "tokens:2: "},
        {"creek-1 sha256:12\n", "tokens:1: "},
        {"creek-1 " SHA_OF_ABC "\n", "tokens:1: "},
        {"creek-1 sha256:" SHA_OF_ABC "00\n", "tokens:1: "},
        {"creek-1 sha256:" SHA_OF_ABC " more\n", "tokens:1: "},
        {"a/b sha256:" SHA_OF_ABC "\n", "tokens:1: 'a/b"},
        {"a sha256:" SHA_OF_ABC "\nb sha256:" SHA_OF_ABC "\n", "same token"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_tokens_t *tokens = NULL;
        ir_error_t error;
        write_file(path, cases[i].text);
        assert_int_equal(ir_tokens_load(path, &tokens, &error), IR_ERR_SYNTAX);
        assert_non_null(strstr(error.text, cases[i].place));
        assert_null(tokens);
    }
    ir_error_t error;
    ir_tokens_t *tokens = NULL;
    assert_int_equal(ir_tokens_load("/nowhere/tokens", &tokens, &error), IR_ERR_NOT_FOUND);
}

/* ---- issuing ---- */

static bool missing;

static ir_status_t issue(const char *text, char *out, size_t size, ir_error_t *error) {
    write_file(names, text);
    FILE *file = fmemopen(out, size, "w");
    assert_non_null(file);
    const ir_issue_request_t request = {.names = names, .tokens = path, .missing = missing};
    const ir_status_t status = ir_issue_tokens(&request, file, error);
    fclose(file);
    return status;
}

static void issued_tokens_are_good_and_replace_earlier_ones(void **state) {
    (void)state;
    char first[512] = "";
    char second[512] = "";
    char mote[64];
    char token[64];
    ir_error_t error;
    unlink(path);
    assert_int_equal(issue("a\n# no mote\n b \n", first, sizeof first, &error), IR_OK);
    assert_int_equal(sscanf(first, "%63s %63s", mote, token), 2);
    assert_string_equal(mote, "a");
    assert_int_equal(strlen(token), 43);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    ir_tokens_t *tokens = NULL;
    assert_int_equal(ir_tokens_load(path, &tokens, &error), IR_OK);
    assert_string_equal(find(tokens, token)->mote, "a");
    ir_tokens_free(tokens);
    assert_int_equal(issue("a\nc\n", second, sizeof second, &error), IR_OK);
    assert_int_equal(ir_tokens_load(path, &tokens, &error), IR_OK);
    assert_int_equal(ir_tokens_count(tokens), 3);
    assert_null(find(tokens, token));
    ir_tokens_free(tokens);
}

static void only_missing_tokens_are_issued(void **state) {
    (void)state;
    char out[512] = "";
    char mote[64];
    ir_error_t error;
    write_file(path, "# kept\na sha256:" SHA_OF_ABC "\n");
    missing = true;
    assert_int_equal(issue("a\n", out, sizeof out, &error), IR_OK);
    assert_string_equal(out, "");
    assert_int_equal(issue("a\nb\na\n", out, sizeof out, &error), IR_OK);
    assert_int_equal(sscanf(out, "%63s", mote), 1);
    assert_string_equal(mote, "b");
    missing = false;
    ir_tokens_t *tokens = NULL;
    assert_int_equal(ir_tokens_load(path, &tokens, &error), IR_OK);
    assert_int_equal(ir_tokens_count(tokens), 2);
    assert_string_equal(find(tokens, "abc")->mote, "a");
    ir_tokens_free(tokens);
}

static void wrong_names_change_nothing(void **state) {
    (void)state;
    char out[256] = "";
    ir_error_t error;
    write_file(path, "creek-1 sha256:" SHA_OF_ABC "\n");
    assert_int_equal(issue("a\nb/c\n", out, sizeof out, &error), IR_ERR_SYNTAX);
    assert_non_null(strstr(error.text, "names:2: "));
    assert_int_equal(issue("a\na\n", out, sizeof out, &error), IR_ERR_SYNTAX);
    assert_string_equal(out, "");
    ir_tokens_t *tokens = NULL;
    assert_int_equal(ir_tokens_load(path, &tokens, &error), IR_OK);
    assert_int_equal(ir_tokens_count(tokens), 1);
    ir_tokens_free(tokens);
}

static void failing_allocations_are_told(void **state) {
    (void)state;
    failing_alloc_required();
    write_file(path, "creek-1 sha256:" SHA_OF_ABC "\n");
    write_file(names, "a\nb\n");
    for (unsigned nth = 1;; nth++) {
        char out[512];
        FILE *file = fmemopen(out, sizeof out, "w");
        ir_error_t error = {.status = IR_OK};
        ir_tokens_t *tokens = NULL;
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        ir_status_t status = ir_tokens_load(path, &tokens, &error);
        if (status == IR_OK) {
            const ir_issue_request_t request = {.names = names, .tokens = path, .missing = true};
            status = ir_issue_tokens(&request, file, &error);
        }
        const bool failed = failing_alloc_disarm();
        ir_tokens_free(tokens);
        fclose(file);
        if (!failed) {
            assert_int_equal(status, IR_OK);
            break;
        }
        assert_int_equal(status, IR_ERR_MEMORY);
        assert_true(error.text[0] != '\0');
    }
}

/* ---- rates ---- */

static void a_bucket_fills_at_its_rate(void **state) {
    (void)state;
    const ir_bucket_limits_t limits = {.rate = 10, .burst = 100};
    ir_bucket_t bucket = {.taken = 0};
    int64_t now_ns = 1000 * IR_SECOND_NS;
    assert_int_equal(ir_bucket_wait(&bucket, &limits, now_ns), 0);
    ir_bucket_take(&bucket, &limits, 99);
    assert_int_equal(ir_bucket_wait(&bucket, &limits, now_ns), 0);
    ir_bucket_take(&bucket, &limits, 101);
    const int64_t wait_ns = ir_bucket_wait(&bucket, &limits, now_ns);
    assert_in_range(wait_ns, 10 * IR_SECOND_NS, 10 * IR_SECOND_NS + IR_SECOND_NS / 5);
    now_ns += wait_ns + 1000;
    assert_int_equal(ir_bucket_wait(&bucket, &limits, now_ns), 0);
    now_ns += 3600 * IR_SECOND_NS;
    assert_int_equal(ir_bucket_wait(&bucket, &limits, now_ns), 0);
    assert_true(bucket.taken >= 0 && bucket.taken <= 0);
    const ir_bucket_limits_t none = {.rate = 0, .burst = 1};
    ir_bucket_take(&bucket, &none, 1e9);
    assert_int_equal(ir_bucket_wait(&bucket, &none, now_ns), 0);
}

static void a_reload_does_not_forgive(void **state) {
    (void)state;
    const ir_bucket_limits_t limits = {.rate = 1, .burst = 5};
    ir_tokens_t *old = NULL;
    ir_tokens_t *fresh = NULL;
    ir_error_t error;
    write_file(path, "creek-1 sha256:" SHA_OF_ABC "\nother sha256:" SHA_OF_NOTHING "\n");
    assert_int_equal(ir_tokens_load(path, &old, &error), IR_OK);
    ir_account_t *account = find(old, "abc");
    assert_int_equal(ir_bucket_wait(&account->bucket, &limits, IR_SECOND_NS), 0);
    ir_bucket_take(&account->bucket, &limits, 50);
    assert_int_equal(ir_tokens_load(path, &fresh, &error), IR_OK);
    ir_tokens_inherit(fresh, old);
    ir_tokens_free(old);
    assert_true(ir_bucket_wait(&find(fresh, "abc")->bucket, &limits, IR_SECOND_NS) > 0);
    ir_tokens_free(fresh);
}

/* ---- addresses ---- */

static void the_client_is_the_last_one_that_is_no_proxy(void **state) {
    (void)state;
    ir_proxies_t proxies;
    ir_error_t error;
    char text[64];
    assert_int_equal(ir_proxies_parse("10.0.0.0/9, ::1,fd00::/8,192.0.2.1", &proxies, &error),
                     IR_OK);
    assert_int_equal(proxies.count, 4);
    assert_true(ir_proxies_contain(&proxies, "10.127.1.1"));
    assert_false(ir_proxies_contain(&proxies, "10.128.1.1"));
    assert_true(ir_proxies_contain(&proxies, "fd12::1"));
    assert_false(ir_proxies_contain(&proxies, "192.0.2.2"));
    assert_false(ir_proxies_contain(&proxies, "nonsense"));
    assert_string_equal(ir_proxies_client(&proxies, "10.0.0.1",
                                          "203.0.113.1, 198.51.100.2 ,10.0.0.9", text, sizeof text),
                        "198.51.100.2");
    assert_string_equal(ir_proxies_client(&proxies, "203.0.113.7", "1.2.3.4", text, sizeof text),
                        "203.0.113.7");
    assert_string_equal(ir_proxies_client(&proxies, "::1", NULL, text, sizeof text), "::1");
    assert_string_equal(ir_proxies_client(&proxies, "::1", " , ", text, sizeof text), "::1");
    static const char *const wrong[] = {"10.0.0.0/33", "x", "10.0.0.0/", "::/129", "1.2.3.4/x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(ir_proxies_parse(wrong[i], &proxies, &error), IR_ERR_USAGE);
    }
    assert_int_equal(ir_proxies_parse("", &proxies, &error), IR_OK);
    assert_int_equal(proxies.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_found_by_their_hash),
        cmocka_unit_test(senders_are_known_by_bearer_and_basic),
        cmocka_unit_test(a_bad_line_is_named),
        cmocka_unit_test(issued_tokens_are_good_and_replace_earlier_ones),
        cmocka_unit_test(only_missing_tokens_are_issued),
        cmocka_unit_test(wrong_names_change_nothing),
        cmocka_unit_test(failing_allocations_are_told),
        cmocka_unit_test(a_bucket_fills_at_its_rate),
        cmocka_unit_test(a_reload_does_not_forgive),
        cmocka_unit_test(the_client_is_the_last_one_that_is_no_proxy),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
