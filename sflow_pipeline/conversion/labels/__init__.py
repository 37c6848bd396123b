"""Class ids of every label of a dump, counted and checked before the first frame is converted."""
