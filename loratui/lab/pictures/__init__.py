"""Pictures: what made them, sheets and grids of them, and showing them in a terminal."""
