"""What the actors show in Ray's dashboard and at its metrics endpoint: a table, what is seen of an actor's steps, and
the thread that publishes both."""
