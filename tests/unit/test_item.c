#include "tap/item.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void keep_quality(void *context, const ir_item_t *item) {
    snprintf(context, IR_ITEM_TEXT, "%s", item->quality);
}

/* A filter by quality must not depend on the format. */
static void test_quality_of_each_format(void **state) {
    (void)state;
    static const struct {
        const char *format, *body, *quality;
    } cases[] = {
        {"json", "{\"quality\":\"not_evaluated\"}\n", "not_evaluated"},
        {"jsonld", "{\"@graph\":[{\"dqv:hasQualityAnnotation\":\"ir:not-evaluated\"}]}",
         "not_evaluated"},
        {"jsonld", "{\"@graph\":[{\"dqv:hasQualityAnnotation\":\"ir:fail\"}]}", "fail"},
        {"sensorthings", "{\"value\":[{\"resultQuality\":{\"meaning\":\"not_evaluated\"}}]}",
         "not_evaluated"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char quality[IR_ITEM_TEXT] = "";
        assert_true(ir_items_read(ir_view_text(cases[i].format), ir_view_text(cases[i].body),
                                  keep_quality, quality));
        assert_string_equal(quality, cases[i].quality);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quality_of_each_format)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
