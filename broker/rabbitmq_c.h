/* Includes librabbitmq's headers, which are in a separate folder since 0.12 (Debian 13). */
#ifndef IR_BROKER_RABBITMQ_C_H
#define IR_BROKER_RABBITMQ_C_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#endif
