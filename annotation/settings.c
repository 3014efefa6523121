#include "annotation/settings.h"

void ir_format_settings_options(const ir_format_settings_t *settings,
                                ir_format_options_t *options) {
    *options = (ir_format_options_t){.base_iri = settings->base_iri,
                                     .detail = (ir_graph_detail_t)settings->detail,
                                     .naming = (ir_graph_naming_t)settings->naming};
}

void ir_analysis_settings_analysis(const ir_analysis_settings_t *settings, const char *base_iri,
                                   ir_analysis_t *analysis) {
    *analysis = (ir_analysis_t){
        .limits = ir_limit_settings_limits(&settings->limits),
        .accept_unregistered = settings->unregistered == 1,
        .base_iri = base_iri,
    };
}

ir_status_t ir_format_settings_check(const ir_format_settings_t *settings, ir_error_t *error) {
    if (ir_base_iri_valid(settings->base_iri)) {
        return IR_OK;
    }
    return ir_error_set(error, IR_ERR_USAGE, "base-iri: '%s' is not an IRI that ends in '/' or '#'",
                        settings->base_iri != NULL ? settings->base_iri : "");
}
