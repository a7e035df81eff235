/* The firmware of nnlite as a sketch: upload it once, then `nnlite info` and `nnlite flash MODEL` at the board's port.
   Which port of the board that is, and where models lie, stands in src/firmware/board_config.h. */
extern "C" {
#include "src/firmware/board.h"
#include "src/firmware/protocol.h"
}

void setup()
{
    board_init();
    protocol_boot();
}

void loop()
{
    protocol_go_on();
}
