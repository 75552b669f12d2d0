"""The domain: plain files in, plain objects out. No torch, no textual."""
