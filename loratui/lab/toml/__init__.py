"""TOML documents as people write them: where things stand in them, and changing one thing of them."""
