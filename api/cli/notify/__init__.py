"""`eternal notify`: try the channels to people, and see how they are."""
