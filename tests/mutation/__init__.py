"""Small wrong changes to the code that decides about money, each of which some test must notice (`make mutate`)."""
