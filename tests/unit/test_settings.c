/* Settings: where values come from, what is refused, and what is shown. */
#include "common/settings_load.h"
#include "common/settings_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* clang-format off */
#define TARGET_SETTINGS(SETTING) \
    SETTING(TEXT, name, "name", 'n', "TEXT", NULL, 0, 0, "nobody", "A name.") \
    SETTING(SECRET, secret, "secret", 0, "TEXT", NULL, 0, 0, NULL, "A secret.") \
    SETTING(URI, uri, "uri", 0, "URI", NULL, 0, 0, "amqp://localhost", "A URI.") \
    SETTING(INTEGER, count, "count", 'c', "N", NULL, 1, 5000, "7", "A count.") \
    SETTING(SIZE, size, "size", 0, "BYTES", NULL, 0, 1e12, "1Ki", "A size.") \
    SETTING(DURATION, wait_ns, "wait", 0, "TIME", NULL, 0, 1e15, "2s", "A time.") \
    SETTING(NUMBER, share, "share", 0, "N", NULL, 0, 1, "0.5", "A share.") \
    SETTING(FLAG, flag, "flag", 'f', NULL, NULL, 0, 0, NULL, "A flag.") \
    SETTING(CHOICE, choice, "choice", 0, "WORD", "red|green|blue", 0, 0, "green", "A colour.")
/* clang-format on */

typedef struct target {
    TARGET_SETTINGS(IR_SETTING_MEMBER)
} target_t;

#define IR_OPTIONS target_t
static const ir_setting_t rows[] = {TARGET_SETTINGS(IR_SETTING_ROW)};

static const ir_program_t program = {.name = "ir-test",
                                     .purpose = "Tests.",
                                     .usage = "[FILE…]",
                                     .notes = "Notes.\n",
                                     .settings = rows,
                                     .n_settings = sizeof rows / sizeof rows[0]};

typedef struct load {
    target_t target;
    ir_error_t error;
    ir_settings_verdict_t verdict;
    int first;
} load_t;

static void load(load_t *loaded, const char *line) {
    static char words[512];
    char *argv[16] = {NULL};
    int argc = 0;
    memset(loaded, 0, sizeof *loaded);
    snprintf(words, sizeof words, "ir-test %s", line);
    for (char *word = strtok(words, " "); word != NULL && argc < 15; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    loaded->verdict = ir_settings_load(&program, argc, argv, &loaded->target, &loaded->first, NULL,
                                       &loaded->error);
}

static void drop(load_t *loaded) {
    ir_settings_free(&program, &loaded->target);
}

static void wrong(const char *line, const char *part) {
    load_t loaded;
    load(&loaded, line);
    if (loaded.verdict != IR_SETTINGS_WRONG || strstr(loaded.error.text, part) == NULL) {
        fail_msg("'%s' gave %d: %s", line, loaded.verdict, loaded.error.text);
    }
    drop(&loaded);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void defaults(void **state) {
    (void)state;
    load_t l;
    load(&l, "");
    assert_int_equal(l.verdict, IR_SETTINGS_RUN);
    assert_string_equal(l.target.name, "nobody");
    assert_int_equal(l.target.count, 7);
    assert_int_equal(l.target.size, 1024);
    assert_true(l.target.wait_ns == 2000000000);
    assert_true(l.target.share == 0.5);
    assert_false(l.target.flag);
    assert_int_equal(l.target.choice, 1);
    drop(&l);
}

static void units(void **state) {
    (void)state;
    load_t l;
    load(&l, "--count 4k --size=3Mi --wait 1.5min --share=0.25 -f --choice blue one two");
    assert_int_equal(l.verdict, IR_SETTINGS_RUN);
    assert_int_equal(l.target.count, 4000);
    assert_int_equal(l.target.size, 3 * 1024 * 1024);
    assert_true(l.target.wait_ns == INT64_C(90000000000));
    assert_true(l.target.flag && l.target.choice == 2);
    drop(&l);
}

static void later_sources_override_earlier_ones(void **state) {
    (void)state;
    char path[] = "/tmp/ir-test-settings-XXXXXX";
    close(mkstemp(path));
    write_file(path, "[common]\ncount = 2\nname = common\n[ir-worker]\nname = foreign\n"
                     "[ir-test]\nname = file\nsize = 5\n");
    char line[128];
    snprintf(line, sizeof line, "--settings %s", path);
    load_t l;
    load(&l, line);
    assert_int_equal(l.verdict, IR_SETTINGS_RUN);
    assert_string_equal(l.target.name, "file");
    assert_int_equal(l.target.count, 2);
    drop(&l);
    setenv("IR_NAME", "environment", 1);
    load(&l, line);
    assert_string_equal(l.target.name, "environment");
    assert_int_equal(l.target.size, 5);
    drop(&l);
    snprintf(line, sizeof line, "--settings %s --name line", path);
    load(&l, line);
    assert_string_equal(l.target.name, "line");
    drop(&l);
    unsetenv("IR_NAME");
    unlink(path);
}

static void faults_of_the_line_are_named(void **state) {
    (void)state;
    wrong("--count 0", "count");
    wrong("--count 5001", "count");
    wrong("--count seven", "seven");
    wrong("--count 99999999999999999999", "count");
    wrong("--wait 5", "wait");
    wrong("--wait 5parsecs", "wait");
    wrong("--share 1.5", "share");
    wrong("--share nan", "share");
    wrong("--choice mauve", "red");
    wrong("--flag=maybe", "flag");
    wrong("--name", "wants a value");
    wrong("--colour red", "--colour");
    wrong("--cuont 3", "did you mean count?");
    wrong("--cuont=3", "did you mean count?");
    wrong("--settings /nonexistent/file", "/nonexistent/file");
}

static void faults_of_the_file_name_its_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {{"[ir-test]\n\ncount = none\n", ":3"},
                 {"[ir-test]\nunheard = 1\n", ":2"},
                 {"[ir-test]\nwiat = 1s\n", ":2: wiat: no such setting; did you mean wait?"},
                 {"[common]\nregistyr = 1\n", "of any program; did you mean registry?"},
                 {"[ir-wroker]\ncount = 1\n", "no program reads; did you mean ir-worker?"},
                 {"count = 1\n", ":1"},
                 {"[ir-test]\ncount = 1\n[common]\ncount = 2\n[ir-test]\ncount = 1\n",
                  ":6: count is given twice; line 2 has it already"},
                 {"[ir-test]\ncount = 1\n  wiat = 1s\n", ":3: wiat: no such setting"},
                 {"[ir-test]\nname = a\n  b\n", ":3: neither a section nor NAME = VALUE"},
                 {"[ir-test]\n[other]\ncount = 1\n", ":3"},
                 {"[common]\nname = a\n[ir-test]\nchoice = x\n", ":4"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/ir-test-settings-XXXXXX";
        close(mkstemp(path));
        write_file(path, cases[i].text);
        char line[128];
        snprintf(line, sizeof line, "--settings %s", path);
        wrong(line, cases[i].part);
        unlink(path);
    }
}

typedef struct lines {
    char text[4000];
    size_t count;
} lines_t;

static void keep_line(void *context, const char *line) {
    lines_t *lines = context;
    const size_t size = strlen(lines->text);
    snprintf(lines->text + size, sizeof lines->text - size, "%s\n", line);
    lines->count++;
}

/* A section that no program reads is one fault, whatever it contains. */
static void all_faults_are_told_in_order(void **state) {
    (void)state;
    static const char *const expected[] = {
        ":2: count: 'none' is not a whole number",
        ":3: neither a section nor NAME = VALUE",
        ":4: wiat: no such setting; did you mean wait?",
        ":6: name is in section 'ir-wroker'",
        ":9: the line is too long",
        ":10: neither a section nor NAME = VALUE",
        ":12: choice: 'mauve' is not red|green|blue",
        "environment IR_SHARE: share: '2x' is not a number",
        "--cuont: no such option; did you mean count?",
        "size: 'x' is not a whole number",
    };
    char path[] = "/tmp/ir-test-settings-XXXXXX";
    char option[64];
    char text[600];
    char size[] = "--size=x";
    char cuont[] = "--cuont";
    char name[] = "ir-test";
    close(mkstemp(path));
    snprintf(text, sizeof text,
             "[ir-test]\ncount = none\nnonsense\nwiat = 1s\n[ir-wroker]\nname = a\nsize = 1\n"
             "[ir-test]\nname = %0300d\n[ir-test\n; a comment\nchoice = mauve\nsize = 5\n",
             0);
    write_file(path, text);
    snprintf(option, sizeof option, "--settings=%s", path);
    setenv("IR_SHARE", "2x", 1);
    char *argv[] = {name, option, size, cuont, NULL};
    lines_t lines = {.count = 0};
    const ir_teller_t teller = {keep_line, &lines};
    load_t l = {.first = 0};
    l.verdict = ir_settings_load(&program, 4, argv, &l.target, &l.first, &teller, &l.error);
    unsetenv("IR_SHARE");
    unlink(path);
    assert_int_equal(l.verdict, IR_SETTINGS_WRONG);
    const char *at = lines.text;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const char *found = strstr(at, expected[i]);
        if (found == NULL) {
            fail_msg("not there, or not in order: %s\n%s", expected[i], lines.text);
            return;
        }
        at = found;
    }
    assert_int_equal(lines.count, sizeof expected / sizeof expected[0]);
    assert_string_equal(l.error.text, "10 faults in the settings");
    assert_int_equal(l.error.status, IR_ERR_USAGE);
    drop(&l);
}

static void misspelt_variables_are_told(void **state) {
    (void)state;
    setenv("IR_PARTITONS", "3", 1);
    wrong("", "environment IR_PARTITONS: no such setting; did you mean IR_PARTITIONS?");
    unsetenv("IR_PARTITONS");
    setenv("IR_SOMETHING_ELSE", "3", 1);
    load_t l;
    load(&l, "");
    assert_int_equal(l.verdict, IR_SETTINGS_RUN);
    drop(&l);
    unsetenv("IR_SOMETHING_ELSE");
}

static void the_password_of_a_uri_wins(void **state) {
    (void)state;
    assert_string_equal(ir_uri_password_apart("amqp://me@host", "apart"), "apart");
    assert_null(ir_uri_password_apart("amqp://me@host", ""));
    assert_null(ir_uri_password_apart("amqp://me:own@host", "apart"));
}

static void secrets_come_from_file_or_environment_only(void **state) {
    (void)state;
    wrong("--secret swordfish", "IR_SECRET");
    wrong("--uri amqp://me:swordfish@host", "IR_URI");
    load_t l;
    load(&l, "--secret swordfish");
    assert_null(strstr(l.error.text, "swordfish"));
    drop(&l);
    setenv("IR_SECRET", "swordfish", 1);
    load(&l, "");
    assert_string_equal(l.target.secret, "swordfish");
    assert_null(getenv("IR_SECRET"));
    drop(&l);
}

static void what_was_taken_is_wiped_from_the_environment(void **state) {
    (void)state;
    setenv("IR_URI", "amqp://me:swordfish@host", 1);
    const char *left = getenv("IR_URI");
    load_t l;
    load(&l, "");
    assert_string_equal(l.target.uri, "amqp://me:swordfish@host");
    assert_true(left != NULL && left[0] == '\0');
    assert_null(getenv("IR_URI"));
    drop(&l);
    setenv("IR_URI", "amqp://me@host", 1);
    load(&l, "");
    assert_string_equal(getenv("IR_URI"), "amqp://me@host");
    drop(&l);
    unsetenv("IR_URI");
}

static void a_file_with_a_secret_is_for_its_owner_alone(void **state) {
    (void)state;
    const bool root = geteuid() == 0;
    static const char secret[] = "[ir-test]\nsecret = swordfish\n";
    static const char uri[] = "[common]\nuri = amqp://me:swordfish@host\n";
    static const char harmless[] = "[ir-test]\nname = file\nsecret =\nuri = amqp://me@host\n"
                                   "[ir-ingest]\nsecret = swordfish\n";
    const struct {
        const char *text;
        mode_t mode;
        bool good;
    } cases[] = {{secret, 0600, true},  {secret, 0400, true},  {secret, 0640, root},
                 {secret, 0660, false}, {secret, 0644, false}, {secret, 0602, false},
                 {uri, 0600, true},     {uri, 0644, false},    {harmless, 0666, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[] = "/tmp/ir-test-settings-XXXXXX";
        close(mkstemp(path));
        write_file(path, cases[i].text);
        assert_int_equal(chmod(path, cases[i].mode), 0);
        char line[128];
        snprintf(line, sizeof line, "--settings %s", path);
        load_t l;
        load(&l, line);
        assert_int_equal(l.verdict, cases[i].good ? IR_SETTINGS_RUN : IR_SETTINGS_WRONG);
        assert_true(cases[i].good || strstr(l.error.text, "chmod 600") != NULL);
        drop(&l);
        unlink(path);
    }
}

static void passwords_in_uris_are_masked(void **state) {
    (void)state;
    char masked[64];
    assert_string_equal(ir_uri_masked("amqp://a:b@host/x", masked, sizeof masked),
                        "amqp://a:***@host/x");
    assert_string_equal(ir_uri_masked("sqlite:a@b", masked, sizeof masked), "sqlite:a@b");
    assert_string_equal(ir_uri_masked("amqp://host", masked, 5), "amqp");
}

static void one_field_from_text(void **state) {
    (void)state;
    target_t target = {0};
    ir_error_t error;
    assert_int_equal(ir_settings_set(&program, &target, "count", "12", &error), IR_OK);
    assert_int_equal(target.count, 12);
    assert_int_equal(ir_settings_set(&program, &target, "count", "x", &error), IR_ERR_USAGE);
    assert_int_equal(target.count, 12);
    assert_int_equal(ir_settings_set(&program, &target, "none", "x", &error), IR_ERR_USAGE);
    ir_settings_free(&program, &target);
}

static void the_manual_has_every_setting(void **state) {
    (void)state;
    char *texts[3] = {NULL};
    size_t sizes[3];
    FILE *outs[3];
    for (int i = 0; i < 3; i++) {
        outs[i] = open_memstream(&texts[i], &sizes[i]);
    }
    ir_settings_print_markdown(&program, outs[0]);
    ir_settings_print_example(&program, outs[1]);
    ir_settings_print_json(&program, outs[2]);
    for (int i = 0; i < 3; i++) {
        fclose(outs[i]);
        for (size_t row = 0; row < program.n_settings; row++) {
            assert_non_null(strstr(texts[i], rows[row].name));
            assert_non_null(strstr(texts[i], rows[row].help));
        }
        free(texts[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(units),
        cmocka_unit_test(later_sources_override_earlier_ones),
        cmocka_unit_test(faults_of_the_line_are_named),
        cmocka_unit_test(faults_of_the_file_name_its_line),
        cmocka_unit_test(all_faults_are_told_in_order),
        cmocka_unit_test(secrets_come_from_file_or_environment_only),
        cmocka_unit_test(what_was_taken_is_wiped_from_the_environment),
        cmocka_unit_test(a_file_with_a_secret_is_for_its_owner_alone),
        cmocka_unit_test(misspelt_variables_are_told),
        cmocka_unit_test(the_password_of_a_uri_wins),
        cmocka_unit_test(passwords_in_uris_are_masked),
        cmocka_unit_test(one_field_from_text),
        cmocka_unit_test(the_manual_has_every_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
