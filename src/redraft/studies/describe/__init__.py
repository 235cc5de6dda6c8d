"""Say what is in a dataset: counts, distributions, rejected lines, frequent titles, splits."""
