"""Share out the variance of each metric over students, titles and the rest, with 95% intervals."""
