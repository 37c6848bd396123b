"""Source files of a dump in order, with their identities."""
