"""The console: what is served equals a build of the sources, speaks both languages, and asks no other host."""
