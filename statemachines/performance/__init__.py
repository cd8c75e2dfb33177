"""What each engine achieved, day by day (P4): kept by the risk manager, which has the one marked equity."""
