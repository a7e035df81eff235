/* What a sketch sees of an Arduino core: its macros, setup, loop, delay and Serial. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stdint.h>

#include "macros.h"

void setup(void);
void loop(void);
void delay(unsigned long milliseconds);
unsigned long millis(void);

struct Line {
    void begin(unsigned long baud);
    void setTimeout(unsigned long milliseconds);
    int available(void);
    int peek(void);
    int read(void);
    float parseFloat(void);
    long parseInt(void);
    void print(char letter);
    void print(double value, int digits);
    void println(void);
    void println(const char *text);
    void println(long value);
    void println(double value, int digits);
};
extern Line Serial;

#endif
