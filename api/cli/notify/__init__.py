"""`eternal notify`: what goes to people."""
