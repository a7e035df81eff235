"""What computing costs on a board and on this computer, and what a board's serial line is used for."""
