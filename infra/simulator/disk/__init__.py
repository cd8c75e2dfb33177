"""The exchange on disk: its log of inputs, and snapshots of its state."""
