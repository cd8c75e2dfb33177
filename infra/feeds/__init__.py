"""External values (DA-2): Fear & Greed and the volatility index. A source that fails gives None and says why."""
