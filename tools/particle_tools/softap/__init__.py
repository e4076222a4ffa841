"""Sets a board up as a phone does, over the access point that it opens (setup-protocols 2)."""
