#include "broker/settings.h"

#include "common/clock.h"

void ir_broker_settings_options(const ir_broker_settings_t *settings, const char *role,
                                int64_t timeout_ns, ir_broker_options_t *broker) {
    *broker = (ir_broker_options_t){
        .uri = settings->uri,
        .password = ir_setting_text(settings->password),
        .name = role,
        .ca_file = ir_setting_text(settings->ca),
        .timeout_ns = timeout_ns,
        .message_bytes = (size_t)settings->publish_bytes,
        .heartbeat_s = (int)(settings->heartbeat_ns / IR_SECOND_NS),
    };
}

ir_status_t ir_broker_settings_check(const ir_broker_settings_t *settings, ir_error_t *error) {
    ir_broker_options_t broker;
    ir_broker_settings_options(settings, "", 0, &broker);
    ir_error_t cause;
    ir_uri_warn_of_passwords("amqp", settings->uri, settings->password);
    return ir_broker_check(&broker, &cause) == IR_OK
               ? IR_OK
               : ir_error_set(error, cause.status, "amqp: %s", cause.text);
}
