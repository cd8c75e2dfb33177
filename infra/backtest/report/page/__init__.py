"""The report's page: charts, tables, words, one HTML file.

Every figure comes from the analysis; nothing is computed here.
"""
