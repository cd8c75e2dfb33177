"""History files: fetched from the exchange and the external source and kept without loss."""
