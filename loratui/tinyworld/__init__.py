"""The embedded base model: the scenes it was trained on, its trainer, its weights."""
