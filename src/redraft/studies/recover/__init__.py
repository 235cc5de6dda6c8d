"""Study whether a run's models can mend failing programs of held-out students, beside baselines and the students.

Programs run in the sandbox, and kept success is printed.
"""
