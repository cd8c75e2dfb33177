"""What CORE-HODL shows of itself: its daily figures and what would make it act next. Nothing is decided here."""
