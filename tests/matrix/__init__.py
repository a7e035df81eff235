"""Every verb against everything that can go wrong: `table` has the cells, `messages.txt` what each of them says."""
