"""Rules of the matching core and its in-process interface, on small hand-made markets."""
