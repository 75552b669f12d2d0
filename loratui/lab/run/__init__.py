"""Runs: their folder and record, what happens in them, who is alive, and starting, ending and following them."""
