"""The channels to people, one file each; which of them are on is configuration."""
