"""One file a peripheral, registers by the names of Nordic's reference manuals."""
