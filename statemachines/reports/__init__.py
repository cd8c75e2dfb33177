"""Reports to the owner: which are due. Pure."""
