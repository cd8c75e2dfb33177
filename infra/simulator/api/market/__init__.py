"""Public market endpoints: quotes, bars, and the figures about risk and positions of all participants."""
