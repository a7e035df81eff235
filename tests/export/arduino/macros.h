/* Names that Arduino's cores define as macros: what an export must live with. */
#ifndef ARDUINO_MACROS_H
#define ARDUINO_MACROS_H

#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x0
#define OUTPUT 0x1
#define INPUT_PULLUP 0x2
#define PI 3.14
#define HALF_PI 1.57
#define TWO_PI 6.28
#define DEG_TO_RAD 0.0174
#define RAD_TO_DEG 57.3
#define EULER 2.72
#define SERIAL 0x0
#define DISPLAY 0x1
#define LSBFIRST 0
#define MSBFIRST 1
#define CHANGE 1
#define FALLING 2
#define RISING 3
#define DEFAULT 1
#define EXTERNAL 0
#define INTERNAL 3
#define B0 0
#define B1 1
#define B10 2
#define B00000001 1
#define PA 1
#define PB 2
#define PC 3
#define PD 4
#define PE 5
#define PF 6
#define A0 14
#define A1 15
#define LED_BUILTIN 13
#define F(text) (text)
#define PSTR(text) (text)
#define PROGMEM
#define _BV(b) (1u << (b))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define abs(x) ((x) > 0 ? (x) : -(x))
#define constrain(amount, low, high) ((amount) < (low) ? (low) : ((amount) > (high) ? (high) : (amount)))
#define round(x) ((x) >= 0 ? (long)((x) + 0.5) : (long)((x) - 0.5))
#define radians(deg) ((deg) * DEG_TO_RAD)
#define degrees(rad) ((rad) * RAD_TO_DEG)
#define sq(x) ((x) * (x))
#define interrupts() (0)
#define noInterrupts() (0)
#define lowByte(w) ((unsigned char)((w) & 0xff))
#define highByte(w) ((unsigned char)((w) >> 8))
#define bitRead(value, bit) (((value) >> (bit)) & 0x01)
#define bitSet(value, bit) ((value) |= (1u << (bit)))
#define bitClear(value, bit) ((value) &= ~(1u << (bit)))
#define bit(b) (1u << (b))
#define word(w) ((unsigned int)(w))
#define NOT_A_PIN 0
#define TIMER0A 1
#define TIMER1A 3

#endif
