/* An Arduino core whose serial line is a text: what the sketch reads of it, and what it prints. A call that waits for
   what does not come lets its time pass. One argument: the text. */
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "Arduino.h"

static const char *rest;
static unsigned long now, patience = 1000;
Line Serial;

unsigned long millis(void)
{
    return now;
}
void delay(unsigned long milliseconds)
{
    now += milliseconds;
}

void Line::begin(unsigned long)
{
}
void Line::setTimeout(unsigned long milliseconds)
{
    patience = milliseconds;
}
int Line::available(void)
{
    return (int)std::strlen(rest);
}
int Line::peek(void)
{
    return *rest != 0 ? *rest : -1;
}
int Line::read(void)
{
    return *rest != 0 ? *rest++ : -1;
}

float Line::parseFloat(void)
{
    while (*rest != 0 && *rest != '-' && std::isdigit((unsigned char)*rest) == 0) {
        rest++;
    }
    if (*rest == 0) {
        now += patience;
        return 0.0f;
    }
    char *end;
    const float value = std::strtof(rest, &end);
    rest = end;
    return value;
}

void Line::print(char letter)
{
    std::putchar(letter);
}
void Line::print(double value, int digits)
{
    std::printf("%.*f", digits, value);
}
void Line::println(void)
{
    std::puts("");
}
void Line::println(const char *text)
{
    std::puts(text);
}
void Line::println(long value)
{
    std::printf("%ld\n", value);
}
void Line::println(double value, int digits)
{
    std::printf("%.*f\n", digits, value);
}

int main(int, char **arguments)
{
    rest = arguments[1];
    setup();
    for (unsigned turn = 0; turn < 50; turn++) {
        loop();
    }
    return 0;
}
