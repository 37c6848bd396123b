"""Pages and pictures to look at."""
