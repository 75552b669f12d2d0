"""Questions that wait for an answer. All of them default to what harms nothing, and escape leaves them."""
