"""Ask what the models' vectors say: of a prefix, what comes later; of a student, how the student works.

How many of the comparisons hold is printed.
"""
