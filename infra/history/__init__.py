"""History files: fetched from the exchange and the external source, kept without loss, looked over for defects."""
