"""One log format per file; each turns raw files into a dataset."""
