/* What each message of docs/PROTOCOL.md does to the slots and the model. */
#ifndef NNLITE_MESSAGES_H
#define NNLITE_MESSAGES_H

#include "refusal.h"
#include "reply.h"

/* Choose the model that serves. */
void messages_boot(void);

/* Carry out a request of the open session, or HELLO. The reply is begun; what the message answers is put behind its
   status word, or refused. READ sends all pieces but its last one by itself. */
refusal_t messages_carry_out(const request_t *request);

/* While an image comes in, answer a frame that could not be read with the credit. */
void messages_repeat_credit(const request_t *request);

/* Go on a little with work that can wait; to be called while no byte waits. */
void messages_idle(void);

#endif
