"""What the simulated exchange shows, in the shape of Bybit's rows and frames.

Pure views over the venue; no request is read here.
"""
