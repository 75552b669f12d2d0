"""Where a LoRA's weights changed, and how alike two are, as the engine wrote it down. How much, and never what."""
