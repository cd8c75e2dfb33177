"""A Ray cluster of two nodes on one machine, its control store in Redis: nodes are lost and come back."""
