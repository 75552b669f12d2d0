"""Everything that touches weights. No textual."""
