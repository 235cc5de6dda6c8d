"""What is loaded into the sandbox's Python: texts for the worker, run nowhere else.

program    runs a program, and lets checks use what it defined     wire    values as JSON, between two Pythons
checks     runs a title's checks against a program that lives in another process
"""
