#include "store/settings.h"

void ir_store_settings_warn(const ir_store_settings_t *settings) {
    ir_uri_warn_of_passwords("documents", settings->documents, settings->documents_password);
}

void ir_store_settings_documents(const ir_store_settings_t *settings, int64_t timeout_ns,
                                 ir_documents_options_t *documents) {
    *documents = (ir_documents_options_t){
        .uri = settings->documents,
        .password = ir_uri_password_apart(settings->documents, settings->documents_password),
        .timeout_ns = timeout_ns,
    };
}

void ir_store_settings_graph(const ir_store_settings_t *settings,
                             const ir_format_settings_t *format, const char *writer,
                             int64_t timeout_ns, ir_graph_options_t *graph) {
    *graph = (ir_graph_options_t){
        .uris = settings->graph,
        .user = ir_setting_text(settings->graph_user),
        .password = ir_setting_text(settings->graph_password),
        .token = ir_setting_text(settings->graph_token),
        .ca_file = ir_setting_text(settings->graph_ca),
        .timeout_ns = timeout_ns,
        .segment_bytes = settings->segment_bytes,
        .writer = writer,
    };
    ir_format_settings_options(format, &graph->format);
}
