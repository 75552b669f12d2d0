"""Datasets: images, captions, tags and tokens, and everything a person does to them."""
