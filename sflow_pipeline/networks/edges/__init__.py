"""Edge maps: the Laplacian, and the network that repairs it."""
