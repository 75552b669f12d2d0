"""One file a screen; each is a place one can go to."""
