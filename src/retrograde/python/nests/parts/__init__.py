"""What loop nests are made of: nests, lines and suites, their indices, and their text."""
