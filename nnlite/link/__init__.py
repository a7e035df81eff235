"""The laptop's end of the serial link (docs/PROTOCOL.md).

`wire` holds the numbers, `frame` turns bytes into frames and back, `protocol`, `refusal`, `transfer` and `timing`
know the messages without touching a port, `port` opens one, and `client` brings them together.
"""
