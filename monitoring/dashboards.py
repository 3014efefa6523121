#!/usr/bin/env python3
"""Writes Grafana's dashboards, grafana/dashboards/NAME.json, from the lists below: make dashboards. Grafana's own
format repeats much text in each panel. A test compares the files with this script, and sends each query to a Prometheus
that monitors a river.
"""

import argparse
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ALL = '{instance=~"$instance"}'
COLUMNS, WIDTH, HEIGHT = 24, 12, 8
HANDLED = 'code=~"202|429|503"'

# {file: (title, job of the variable `instance`, [(panel's title, unit, [(query, legend)])])}. Units are Grafana's.
DASHBOARDS = {
    "pipeline": ("River: pipeline", "worker", [
        ("Observations stored", "cps", [("ir:observations_stored:rate", "all workers"),
         ('sum by (instance) (rate(ir_observations_total{state="stored", instance=~"$instance"}[$__rate_interval]))',
          "{{instance}}")]),
        ("Backlog", "short", [("ir:backlog_messages", "messages waiting or in progress"),
                              ("ir:dead_letters_waiting", "dead letters")]),
        ("Age of the oldest message", "s", [
            ("ir:oldest_message_age_seconds", "held by a worker"),
            ("max(ir:queue_not_empty_for_seconds)", "upper limit: longest time since a queue was empty")]),
        ("Time from arrival to acknowledgement", "s", [("ir:arrival_seconds:p50", "p50"), ("ir:arrival_seconds:p99", "p99")]),
        ("Republished messages", "cps", [("ir:messages_out:rate", "{{format}}")]),
        ("Refusals", "cps", [("ir:refusals:rate", "{{reason}}")]),
        ("Motes with the most refusals", "short", [("topk(10, sum by (mote) (ir_rejected_top or ir_ingest_refused_top))", "{{mote}}")]),
        ("Quality", "cps", [("sum by (flag) (rate(ir_quality_total[$__rate_interval]))", "{{flag}}")]),
        ("Time of each stage, p99", "s", [(
            "histogram_quantile(0.99, sum by (stage, le) (rate(ir_stage_seconds_bucket[$__rate_interval])))", "{{stage}}")]),
        ("Stages whose server is available", "short", [(f"ir_stage_ready{ALL}", "{{instance}} {{stage}}")]),
        ("Queues by depth", "short", [("topk(8, ir:queue_messages)", "{{queue}}")]),
        ("Partitions held", "short", [(f"ir_partitions{ALL}", "{{instance}}"), ("max(ir_partitions_unserved)", "unserved")]),
        ("Processor time of workers", "percentunit", [
            (f"rate(process_cpu_seconds_total{ALL}[$__rate_interval])", "{{instance}}")]),
        ("Memory of workers", "bytes", [(f"process_resident_memory_bytes{ALL}", "{{instance}}")]),
        ("Motes in doubt", "short", [(f"ir_motes_in_doubt{ALL}", "{{instance}}")]),
        ("Motes heard within the last hour", "short", [(
            "count(ir:mote_last_arrival_seconds unless ir:mote_last_arrival_seconds == ir:mote_last_arrival_seconds offset 1h)",
            "motes")]),
    ]),
    "gateway": ("River: gateways and balancer", "gateway", [
        ("Requests by answer", "reqps", [(
            "sum by (code) (rate(ir_http_requests_total[$__rate_interval]))", "{{code}}")]),
        ("Share of requests told to retry later", "percentunit", [(
            'sum(rate(ir_http_requests_total{code=~"429|503"}[$__rate_interval]))'
            f" / sum(rate(ir_http_requests_total{{{HANDLED}}}[$__rate_interval]))", "429 and 503")]),
        ("Observations accepted", "cps", [(
            f"sum by (instance) (rate(ir_ingest_observations_total{ALL}[$__rate_interval]))", "{{instance}}")]),
        ("Time from request to confirm", "s", [
            ("ir:confirm_seconds:p99", "p99"),
            ("histogram_quantile(0.50, sum by (le) (rate(ir_ingest_confirm_seconds_bucket[$__rate_interval])))", "p50")]),
        ("Requests in progress", "short", [(f"ir_ingest_requests_in_flight{ALL}", "{{instance}}: waiting for the broker"),
                                (f"ir_ingest_requests_reading{ALL}", "{{instance}}: being decoded")]),
        ("Motes that wait for confirms", "short", [(f"ir_ingest_motes_waiting{ALL}", "{{instance}}")]),
        ("Refused records", "cps", [(
            f"sum by (instance) (rate(ir_ingest_records_refused_total{ALL}[$__rate_interval]))", "{{instance}}")]),
        ("Connections closed because of a limit", "cps", [(
            "sum by (reason) (rate(ir_http_closed_total[$__rate_interval]))", "{{reason}}")]),
        ("Processor time of gateways", "percentunit", [
            (f"rate(process_cpu_seconds_total{ALL}[$__rate_interval])", "{{instance}}")]),
        ("Memory of gateways", "bytes", [(f"process_resident_memory_bytes{ALL}", "{{instance}}")]),
        ("Sessions at the balancer", "short", [("sum by (proxy) (haproxy_frontend_current_sessions)", "{{proxy}}")]),
        ("Connections refused by the balancer", "cps", [(
            "sum by (proxy) (rate(haproxy_frontend_denied_connections_total[$__rate_interval]))", "{{proxy}}")]),
        ("Servers up behind the balancer", "short", [('sum by (proxy) (haproxy_server_status{state="UP"})', "{{proxy}}")]),
        ("Bytes through the balancer", "Bps", [(
            "sum by (proxy) (rate(haproxy_frontend_bytes_in_total[$__rate_interval]))", "{{proxy}}")]),
    ]),
    "brokers": ("River: brokers", "broker", [
        ("Messages into brokers", "cps", [(
            f"sum by (instance, protocol) (rate(rabbitmq_global_messages_received_total{ALL}[$__rate_interval]))",
            "{{instance}} {{protocol}}")]),
        ("Messages out of brokers", "cps", [(
            f"sum by (instance) (rate(rabbitmq_global_messages_delivered_total{ALL}[$__rate_interval]))", "{{instance}}")]),
        ("Messages in queues", "short", [("ir:queue_messages", "{{queue}}")]),
        ("Consumers", "short", [("ir:queue_consumers", "{{queue}}")]),
        ("Alarms", "short", [
            (f"rabbitmq_alarms_memory_used_watermark{ALL}", "{{instance}} memory"),
            (f"rabbitmq_alarms_free_disk_space_watermark{ALL}", "{{instance}} disk"),
            (f"rabbitmq_alarms_file_descriptor_limit{ALL}", "{{instance}} files")]),
        ("Memory", "bytes", [(f"rabbitmq_process_resident_memory_bytes{ALL}", "{{instance}}"),
                             (f"rabbitmq_resident_memory_limit_bytes{ALL}", "{{instance}} limit")]),
        ("Disk space", "bytes", [(f"rabbitmq_disk_space_available_bytes{ALL}", "{{instance}}"),
                                 (f"rabbitmq_disk_space_available_limit_bytes{ALL}", "{{instance}} limit")]),
        ("Connections", "short", [(f"rabbitmq_connections{ALL}", "{{instance}}")]),
        ("Open files", "percentunit", [(f"rabbitmq_process_open_fds{ALL} / rabbitmq_process_max_fds{ALL}", "{{instance}}")]),
        ("Erlang processes", "short", [(f"rabbitmq_erlang_processes_used{ALL}", "{{instance}}")]),
        ("Refused logins", "cps", [(
            f"sum by (instance) (rate(rabbitmq_auth_attempts_failed_total{ALL}[$__rate_interval]))", "{{instance}}")]),
        ("Entries written to the queues' logs", "cps", [(
            f"sum by (instance) (rate(rabbitmq_raft_log_commit_index{ALL}[$__rate_interval]))", "{{instance}}")]),
    ]),
    "load": ("River: a load test", "worker", [
        ("In: accepted by gateways and brokers", "cps", [
            ("sum(rate(ir_ingest_messages_total[$__rate_interval]))", "messages over HTTP"),
            ("sum(rate(rabbitmq_global_messages_received_total[$__rate_interval]))", "messages into brokers, with republished ones")]),
        ("Out: observations stored", "cps", [
            ('sum(rate(ir_observations_total{state="stored"}[$__rate_interval]))', "stored")]),
        ("Is the rate kept? Backlog", "short", [("ir:backlog_messages", "messages")]),
        ("Do the workers keep up? Age of the oldest message", "s", [("ir:oldest_message_age_seconds", "oldest")]),
        ("Time from arrival to acknowledgement", "s", [
            (f"histogram_quantile({share}, sum by (le) (rate(ir_arrival_seconds_bucket[$__rate_interval])))", legend)
            for share, legend in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))]),
        ("Time from request to confirm", "s", [
            (f"histogram_quantile({share}, sum by (le) (rate(ir_ingest_confirm_seconds_bucket[$__rate_interval])))", legend)
            for share, legend in ((0.5, "p50"), (0.99, "p99"))]),
        ("Processor time per observation", "s", [("ir:cpu_seconds_per_observation", "worker")]),
        ("Processor time", "percentunit", [
            ('sum by (job) (rate(process_cpu_seconds_total{job=~"worker|gateway"}[$__rate_interval]))', "{{job}}")]),
        ("Messages per batch", "short", [(
            "sum(rate(ir_messages_acknowledged_total[$__rate_interval])) / sum(rate(ir_batches_total[$__rate_interval]))",
            "messages per batch")]),
        ("Busy share of each stage's time", "percentunit", [(
            f"avg by (stage) (rate(ir_stage_seconds_sum{ALL}[$__rate_interval]))",
            "{{stage}}")]),
        ("Requests told to retry later", "cps", [
            ('sum by (code) (rate(ir_http_requests_total{code=~"429|503"}[$__rate_interval]))', "{{code}}")]),
        ("Memory", "bytes", [("sum by (job) (process_resident_memory_bytes)", "{{job}}"),
                             ("sum(rabbitmq_process_resident_memory_bytes)", "broker")]),
    ]),
}


def panel(number, title, unit, queries):
    """A graph. The panels are in rows of two."""
    place = {"x": number * WIDTH % COLUMNS, "y": number * WIDTH // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT}
    targets = [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": query, "legendFormat": legend}
               for i, (query, legend) in enumerate(queries)]
    return {"id": number + 1, "type": "timeseries", "title": title, "datasource": SOURCE, "gridPos": place,
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
            "targets": targets}


def variables(job):
    query = f'label_values(up{{job="{job}"}}, instance)'
    return [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
            {"name": "instance", "label": job, "type": "query", "datasource": SOURCE, "definition": query,
             "query": {"query": query, "refId": "instance"}, "multi": True, "includeAll": True, "allValue": ".+",
             "current": {"text": "All", "value": "$__all"}, "refresh": 2}]


def dashboard(name):
    title, job, panels = DASHBOARDS[name]
    return {"uid": f"river-{name}", "title": title, "tags": ["intelligent-river"], "schemaVersion": 38, "editable": True,
            "refresh": "15s", "time": {"from": "now-1h", "to": "now"}, "templating": {"list": variables(job)},
            "panels": [panel(number, *each) for number, each in enumerate(panels)]}


def text(name):
    return json.dumps(dashboard(name), indent=1, ensure_ascii=False) + "\n"


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
