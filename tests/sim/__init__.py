"""Tests of the simulator; a package, so that they can import the machine code that they share."""
