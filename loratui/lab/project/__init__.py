"""Projects: their settings and what every key means, their plan, and making, moving and editing them."""
