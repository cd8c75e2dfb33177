"""The notifier's reading of the database; what it writes goes through the store, as with every actor."""
