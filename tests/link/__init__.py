"""Tests of the laptop's end of the link."""
