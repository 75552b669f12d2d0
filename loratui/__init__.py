"""loratui: a lab bench for LoRA science in a terminal."""

__version__ = "0.1.0"
