"""A trained network as C of a fixed size, as an Arduino or PlatformIO library, or as the bytes of a slot.

`design` is what is to be written, `header` and `source` write the C, `amalgamate` takes what it needs from the runtime,
`formats` knows what goes into which file, `native` builds such C on this computer and runs it.
"""
