"""`particle-mp demo`: the story of a board and a cloud, with numbers the cloud counted."""
