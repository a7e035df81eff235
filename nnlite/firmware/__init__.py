"""The device's end: C sources, one folder a board family, prebuilt images and what builds them."""
