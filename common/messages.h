/* The messages on which a user must act, in one table: text, number and remedy. The text is a
 * printf format and ends with the number. A reader of the log finds the remedy by this number in
 * docs/reference/messages.md, which `make references` writes from this file.
 *
 * The meaning of a number never changes. 1xx: settings and start; 2xx: brokers; 3xx: stores; 4xx:
 * HTTP and clients; 5xx: the worker. A new message takes the next number of its group. */
#ifndef IR_COMMON_MESSAGES_H
#define IR_COMMON_MESSAGES_H

#include <inttypes.h>

#define IR_MESSAGE(number, text, remedy) text " [IR-" #number "]"

/* One message, four lines. The tool reads them, and clang-format would fill them up. */
/* clang-format off */

/* ---- settings and start ---- */

#define IR_TEXT_SECRET_FILE IR_MESSAGE(101, \
    "%s: it holds a password, and with mode %04o others may read or change it; chmod 600 it", \
    "Give the file the mode 0600, or 0640 if root owns it.")

#define IR_TEXT_SECRET_ON_COMMAND_LINE IR_MESSAGE(102, \
    "--%s: secrets are not taken from the command line, where others can read them; set %s in the environment or %s in the settings file", \
    "Put the password into the settings file or into the environment.")

#define IR_TEXT_URI_ON_COMMAND_LINE IR_MESSAGE(103, \
    "--%s: a password on the command line can be read by others; put the URI into %s in the environment or into the settings file", \
    "Write the URI without a password, and set the password in the settings file or in the environment.")

#define IR_TEXT_TWO_PASSWORDS IR_MESSAGE(104, \
    "%s: the password in the URI differs from %s-password; the URI's is used: remove one of them", \
    "Keep the password in one place only.")

#define IR_TEXT_LISTEN_ADDRESS IR_MESSAGE(105, \
    "cannot serve http at '%s': it is not HOST:PORT, for example 127.0.0.1:9090 or [::1]:9090", \
    "Correct the setting `http`. With port 0 the program uses a free port, which the log names.")

#define IR_TEXT_OPEN_FILES IR_MESSAGE(106, \
    "the limit of open files is %llu, at least %llu are needed: raise it (ulimit -n, or LimitNOFILE of the unit)", \
    "Raise the limit on open files: `ulimit -n` in a shell, `LimitNOFILE` in a systemd unit.")

#define IR_TEXT_REGISTRY_KEPT IR_MESSAGE(107, \
    "could not reload the registry; the old one stays in use: %s", \
    "The new registry was not loaded, and the program continues with the old one. Correct the line that the message names, then send SIGHUP again.")

#define IR_TEXT_TOKENS_KEPT IR_MESSAGE(108, \
    "could not reload the tokens; the old ones stay in use: %s", \
    "The new file of tokens was not loaded, and the gateway continues with the old ones. Correct the line that the message names, then send SIGHUP again.")

/* ---- brokers ---- */

#define IR_TEXT_BROKER_URI IR_MESSAGE(201, \
    "the broker's address %zu does not parse: write amqp://USER@HOST:PORT/VHOST, special characters as %%XX", \
    "Correct the setting `amqp`.")

#define IR_TEXT_BROKER_HOST IR_MESSAGE(202, \
    "cannot find the host of RabbitMQ at %s: check the name", \
    "Check the host name in `amqp`, and the name server of this machine.")

#define IR_TEXT_BROKER_SILENT IR_MESSAGE(203, \
    "no answer from %s within the time-out: is RabbitMQ there, and does a firewall let it through?", \
    "Check that RabbitMQ or the balancer runs at this address, and that no firewall drops the packets.")

#define IR_TEXT_BROKER_CERTIFICATE IR_MESSAGE(204, \
    "the certificate of %s is not trusted: check the CA file and the name", \
    "Set `amqp-ca` to the authority that signed the broker's certificate. The certificate must contain the name or address by which the broker is reached.")

#define IR_TEXT_BROKER_TLS IR_MESSAGE(205, \
    "TLS with %s failed: check the CA file, and that the port speaks TLS", \
    "`amqps://` needs a port with TLS. Use `amqp://` for a port without.")

#define IR_TEXT_BROKER_AWAY IR_MESSAGE(206, \
    "cannot connect to RabbitMQ at %s: is it running and listening there?", \
    "Start the broker or the balancer, or correct host and port. The program keeps retrying.")

#define IR_TEXT_NOT_AMQP IR_MESSAGE(207, \
    "%s is not an AMQP 0-9-1 server: check host and port", \
    "The port belongs to another service. Name RabbitMQ's AMQP port.")

#define IR_TEXT_BROKER_SLOW IR_MESSAGE(208, \
    "%s accepted the connection but did not answer in AMQP within the time-out: is it RabbitMQ, and is it overloaded?", \
    "If it is RabbitMQ, look at its load and its log. If it is another service, correct the port.")

#define IR_TEXT_BROKER_CLOSED IR_MESSAGE(209, \
    "%s closed the connection during the login: the broker behind it is probably down or starting; if this lasts, check that it is RabbitMQ's AMQP port (amqps for TLS) and look into its log", \
    "The balancer accepted the connection, but no broker is behind it: start the brokers. A broker that closes every connection at once expects the balancer's PROXY header: connect through the balancer.")

#define IR_TEXT_BROKER_SAYS IR_MESSAGE(210, \
    "%s: RabbitMQ says %u %.*s", \
    "403: the user, its password or its permissions are wrong; the message names what is refused. 404: a queue or exchange is missing. 406: a queue exists with other arguments: use the settings with which it was declared, or drain and delete it. 530: the virtual host does not exist or is not allowed. 541: the queue has no leader or hangs; see `rabbitmq-queues quorum_status QUEUE`. A program that was never connected exits on 403 and 530; later it retries.")

#define IR_TEXT_NOT_STAMPED IR_MESSAGE(211, \
    "the broker does not stamp what arrives%s: start it with ingest/stamp-arrival.erl (docs/explanation/arrival.md), or times that count from the arrival cannot be trusted", \
    "Start every broker with `ingest/stamp-arrival.erl`, then run `ir-worker --check` again.")

#define IR_TEXT_STAMP_UNKNOWN IR_MESSAGE(212, \
    "unknown whether the broker stamps: %s; give the user write and read permissions on amq.topic (ingest/definitions.json)", \
    "Give the worker's user the permissions that `ingest/definitions.json` lists.")

#define IR_TEXT_PARTITION_SILENT IR_MESSAGE(213, \
    "partition %u is lost for now: RabbitMQ did not answer about its queue in time (it has no leader or hangs)", \
    "Look at the queue: `rabbitmq-queues quorum_status ir.observations.N`. The other partitions continue, and this one is retried until the queue answers.")

#define IR_TEXT_PARTITION_CANCELLED IR_MESSAGE(214, \
    "partition %u is lost for now: RabbitMQ cancelled its consumer (the queue was deleted or its node lost)", \
    "The queue is declared again if it is missing, and consumed again. Find out who deleted it; what was in a deleted queue is lost.")

#define IR_TEXT_PARTITION_LOST IR_MESSAGE(215, \
    "partition %u is lost for now", \
    "The broker closed the channel of this partition; it is consumed again. `delivery acknowledgement … timed out`: a store was away for longer than the broker's `consumer_timeout`; nothing is lost.")

#define IR_TEXT_DECLARED_AGAIN IR_MESSAGE(216, \
    "%s was missing: it is declared again", \
    "Somebody deleted an exchange, a queue or a binding. Find out who; what was in a deleted queue is lost.")

#define IR_TEXT_SAME_NAME IR_MESSAGE(217, \
    "another worker also has the name %s, and only one of them gets messages: each worker needs its own name", \
    "Give each worker its own `name`.")

#define IR_TEXT_NOT_HEARD IR_MESSAGE(218, \
    "the other workers cannot be heard: %s", \
    "Give the worker's user the permissions that the message names. Until then the worker is not ready (`membership:`).")

#define IR_TEXT_UNDELIVERABLE IR_MESSAGE(219, \
    "RabbitMQ holds a message that it cannot deliver: each partition gets a separate connection, to find out which one it is", \
    "Nothing, if the brokers run with `ingest/take-aside.erl`: they move the message to `ir.rejected`. Otherwise start them with it.")

#define IR_TEXT_UNDELIVERABLE_IN IR_MESSAGE(220, \
    "partition %u holds a message that RabbitMQ cannot deliver, the brokers are asked to take it aside: %s", \
    "If the message is not taken aside within a minute, the brokers run without `ingest/take-aside.erl`: start them with it.")

#define IR_TEXT_TAKEN_ASIDE IR_MESSAGE(221, \
    "a message of partition %u that RabbitMQ cannot deliver was taken aside into ir.rejected: routing key '%.*s'", \
    "Correct the sender: an MQTT topic was longer than 200 bytes. Set the topic permissions of `ingest/definitions.json`, which refuse such topics.")

#define IR_TEXT_CAN_DROP IR_MESSAGE(222, \
    "the broker can drop messages: %.*s", \
    "Change the queue or the policy as the message says. The worker is not ready until then.")

#define IR_TEXT_POLICIES_UNKNOWN IR_MESSAGE(223, \
    "unknown whether the broker can drop messages: %s", \
    "Check `management`, its password and the plugin rabbitmq_management.")

#define IR_TEXT_UNCONFIRMED IR_MESSAGE(224, \
    "RabbitMQ leaves messages unconfirmed (a queue has lost its majority or hangs?); new messages go over a new connection", \
    "Look at the queues: `rabbitmq-queues check_if_node_is_quorum_critical`, `rabbitmqctl cluster_status`. Start the brokers that are missing.")

#define IR_TEXT_MESSAGE_TOO_LARGE IR_MESSAGE(225, \
    "a message of %zu bytes is over %s of %zu", \
    "The republished message is too large for the broker. Send fewer records in a pack, set `graph-detail = lean`, or raise `publish-bytes` and the broker's `max_message_size` together.")

#define IR_TEXT_NO_DEAD_LETTER IR_MESSAGE(226, \
    "RabbitMQ did not accept the dead letters of %llu refused messages (ir.rejected is full or its node is lost); they are in the raw documents: ir-store rejected list", \
    "Read the refused messages with `ir-store rejected list`, correct their cause, and empty `ir.rejected`.")

/* ---- stores ---- */

#define IR_TEXT_NOT_SET_UP IR_MESSAGE(301, \
    "not set up: run ir-store init", \
    "Run `ir-store init` with the same settings. If the store was set up before, its data are gone: restore a backup first.")

#define IR_TEXT_EARLIER_RELEASE IR_MESSAGE(302, \
    "the database was written by an earlier release, whose ids have a different format: set up an empty store and graph, then migrate it with ir-store reprocess --from %s%s", \
    "Bring the data over as [the guide to upgrades](../howto/upgrade.md) describes.")

#define IR_TEXT_EARLIER_GRAPH IR_MESSAGE(303, \
    "graph %s: it contains observations from an earlier release, whose ids have a different format: name an empty graph, and fill it from the old documents with ir-store reprocess --from OLD-DOCUMENTS", \
    "Bring the data over as [the guide to upgrades](../howto/upgrade.md) describes.")

#define IR_TEXT_OTHER_SCHEMA IR_MESSAGE(304, \
    "documents sqlite:%s: the database has schema version %lld, this program has %d; use the program version that made it, or export it and start a new one", \
    "Use programs of the version that made the database.")

#define IR_TEXT_OTHER_DATABASE IR_MESSAGE(305, \
    "documents sqlite:%s: the database belongs to another program; name another path", \
    "Correct the path in `documents`.")

#define IR_TEXT_DATABASE_VANISHED IR_MESSAGE(306, \
    "documents sqlite:%s: the file %s while it was in use; %" PRIu64 " messages stored since %.*s by this process are not there any more; %s", \
    "Somebody moved, removed or overwrote the file. Put it back, or restore a backup, or run `ir-store init` to start with an empty store. The worker keeps what arrives until then.")

#define IR_TEXT_LOG_VANISHED IR_MESSAGE(307, \
    "documents sqlite:%s: its -wal or -shm %s while it was in use; leave them where they are; nothing is lost, the log is in the database now", \
    "Leave these two files alone. They belong to the database.")

#define IR_TEXT_GRAPH_VANISHED IR_MESSAGE(308, \
    "graph nquads:%s: %s; %" PRIu64 " observations stored since %.*s by this process may not be there any more; put it back, or run ir-store init to continue in a new one", \
    "Somebody moved, removed or overwrote a file of the graph. Put it back, or restore a backup, or run `ir-store init`. The worker keeps what arrives until then.")

#define IR_TEXT_GRAPH_EMPTY IR_MESSAGE(309, \
    "graph %.*s: the registry is gone, so the server has lost its data or has another dataset now; %" PRIu64 " observations stored by this process may not be there any more; put the data back, or run ir-store init to continue with an empty dataset", \
    "Restore the server's data, then run `ir-store reprocess --missing`. Or run `ir-store init` to start with an empty dataset.")

#define IR_TEXT_GRAPH_REFUSES IR_MESSAGE(310, \
    "%.*s refuses the credentials or the right to write (%d); check graph-user, graph-password and the server's grants: %s", \
    "Check `graph-user`, `graph-password` or `graph-token`, and the permissions of this user on the server.")

#define IR_TEXT_NO_DATASET IR_MESSAGE(311, \
    "%.*s: no such dataset there (404); check the path in the graph store's URI, or create the dataset", \
    "Correct the path in `graph`, or create the dataset on the server.")

#define IR_TEXT_OTHER_STRATEGY IR_MESSAGE(312, \
    "%.*s does not accept this request (405); check path and strategy in the graph store's URI", \
    "Correct path and `strategy` in `graph`; [stores](stores.md) lists what each server accepts.")

#define IR_TEXT_NOT_HTTP IR_MESSAGE(313, \
    "%.*s speaks a protocol other than HTTP: %s; check host and port", \
    "The port belongs to another service. Correct host and port.")

#define IR_TEXT_STATEMENT_MISSING IR_MESSAGE(314, \
    "%s: a written statement is missing: do writes and queries reach the same dataset, and does the server itself answer?", \
    "Writes and queries reach different datasets, or a proxy answers in the server's place. Check the URI and the proxies.")

#define IR_TEXT_SUBJECTS_MISSING IR_MESSAGE(315, \
    "%s confirmed %zu subjects but has only %llu of them: does a proxy in front of the server answer in its place?", \
    "A proxy answered in the server's place. Nothing is lost: the request is sent again. Check the proxies.")

#define IR_TEXT_MONGODB_LOGIN IR_MESSAGE(316, \
    "documents mongodb %s: %s: user or password is wrong (%s); check the user in the URI, authSource and documents-password", \
    "Correct the user, `authSource` or `documents-password`.")

#define IR_TEXT_MONGODB_AWAY IR_MESSAGE(317, \
    "documents mongodb %s: %s: cannot reach the server: %s; check that it runs there", \
    "Start the server, or correct the hosts in `documents`. The program keeps retrying.")

#define IR_TEXT_CONTROL_REFUSED IR_MESSAGE(318, \
    "also refuses a known-good test item, so the data are not at fault: %.200s (%.200s)", \
    "The store refuses everything for now: it throttles, or a proxy in front of it answers. Nothing is refused or lost. Look at the store and at the proxies.")

#define IR_TEXT_TWO_ANSWERS IR_MESSAGE(319, \
    "the same item is refused for a different reason each time", \
    "The server gives different reasons for the same request. The message is retried until the answers agree or the server accepts it. Look at the server and at the proxies.")

#define IR_TEXT_DATABASE_SPOILT IR_MESSAGE(320, \
    "documents sqlite:%s: the file was overwritten or truncated while it was in use, and its log (-wal) belongs to the previous file; stop the workers, remove the file with its -wal and -shm, put the right one back or run ir-store init", \
    "Stop the workers before you replace a database. Then do as the message says; a [backup](../howto/back-up.md) brings the data back.")

/* ---- HTTP and clients ---- */

#define IR_TEXT_CANNOT_ACCEPT IR_MESSAGE(401, \
    "cannot accept http connections: %s; trying again every second", \
    "Raise the limit on open files (`ulimit -n`, `LimitNOFILE`), or lower `connections`.")

#define IR_TEXT_TAP_BLIND IR_MESSAGE(402, \
    "refusals are not shown: this user may not listen to exchange ir.rejected", \
    "Use a user that may listen to `ir.rejected`, such as `loadgen`, or `--show=processed`.")

#define IR_TEXT_TAP_SLOW IR_MESSAGE(403, \
    "the connection is too slow: the broker drops the oldest waiting messages, and does not say how many", \
    "Choose less with `--mote`, `--format` or `--quality`, or use `--rate`.")

#define IR_TEXT_OUTPUT_SLOW IR_MESSAGE(404, \
    "the output is too slow: %" PRIu64 " lines were left out", \
    "Write to a file instead of a terminal, or choose less with `--mote`, `--format` or `--quality`.")

#define IR_TEXT_LOADGEN_BLIND IR_MESSAGE(405, \
    "this user may not listen to ir.rejected: what is rejected will count as missing", \
    "Use the user `loadgen`, or give this one its permissions.")

#define IR_TEXT_NOTHING_BACK IR_MESSAGE(406, \
    "nothing came back within drain-timeout: is a worker running, and does it publish the same formats?", \
    "Start a worker, set `formats` of worker and generator alike, or raise `drain-timeout`.")

/* ---- the worker ---- */

#define IR_TEXT_UNSTAMPED IR_MESSAGE(501, \
    "a message with routing key %.*s has no arrival stamp, so this worker's clock is used; the broker does not stamp, or the message was queued before it did", \
    "Start every broker with `ingest/stamp-arrival.erl`; see [arrival times](../explanation/arrival.md). `ir_messages_unstamped_total` counts these messages.")

#define IR_TEXT_OVERSIZE IR_MESSAGE(502, \
    "message of %llu bytes with routing key %.*s exceeds message-bytes: the broker dead-letters it", \
    "Send smaller messages, or raise `message-bytes` and replay it with `ir-store rejected replay --queue`.")

#define IR_TEXT_IN_DOUBT IR_MESSAGE(503, \
    "mote %.*s is in doubt: its messages wait until the refusal of message %s is proved, or the message is accepted: %s", \
    "A server refused a message of this mote for a reason that may not be about its data. Only this mote waits, usually for two seconds. If it lasts, look at the server's answer in the message.")

#define IR_TEXT_UNSERVED IR_MESSAGE(504, \
    " of %u are not consumed%s%s", \
    "Readiness reason `partitions: …`. The message ends with the cause. 403: correct the permissions. `yet`: wait; the workers are dividing the partitions. Otherwise start more workers.")

/* clang-format on */

#endif
