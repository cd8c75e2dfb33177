"""What the launch starts and guards."""
