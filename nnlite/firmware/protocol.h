/* The device's end of docs/PROTOCOL.md: frames, sessions, at-most-once. What each message does is in messages.h. */
#ifndef NNLITE_PROTOCOL_H
#define NNLITE_PROTOCOL_H

#include <stdint.h>

/* Choose the model that serves. */
void protocol_boot(void);

/* Take some of what was received; when that completes a frame, carry it out and answer. To be called again and again.
 */
void protocol_go_on(void);

#endif
