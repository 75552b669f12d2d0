"""Everything that can be known about a project before training."""
