"""Tests of the command line: as a subprocess where the process counts, else through the function that it runs."""
