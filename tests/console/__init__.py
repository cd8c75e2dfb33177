"""The console: what is served is what the sources build to, says everything in both languages, and asks no other host."""
