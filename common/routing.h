/* How a mote's messages are addressed at the broker. */
#ifndef IR_COMMON_ROUTING_H
#define IR_COMMON_ROUTING_H

#define IR_ROUTING_PREFIX "ir." /* before a mote's id in its routing key */

#endif
