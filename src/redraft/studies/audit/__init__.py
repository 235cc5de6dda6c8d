"""Compare every subgroup of students and of titles with the rest: year, editor mode, language, activity, frequency of
the title, and any covariate handed in with the logs.

The gaps that are significant after correction are printed.
"""
