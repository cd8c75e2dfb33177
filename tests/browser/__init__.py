"""The console in a real browser, against the interface over a real database; skipped where there is no Chromium."""
