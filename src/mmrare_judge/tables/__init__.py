"""Tables of names that mean the same, as data; README.md beside them says where each is from."""
