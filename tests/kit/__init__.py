"""What the tests of all parts share: one concern per module."""
