"""Which tag took in what: each tag drawn alone, left out and replaced, and what its pictures show held against it."""
