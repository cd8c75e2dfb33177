"""What would make an engine act next: numbers against limits, as the rules read them (P3)."""
