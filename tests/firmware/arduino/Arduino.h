/* What the firmware's sketch needs of an Arduino core. core.cpp makes it of the bare chip, so that the sketch runs in
   the simulator. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

#include "../../export/arduino/macros.h"

void setup();
void loop();
unsigned long micros();
unsigned long millis();

struct Line {
    void begin(unsigned long baud);
    int available();
    int read();
    size_t write(const uint8_t *bytes, size_t count);
};
extern Line Serial;

#endif
