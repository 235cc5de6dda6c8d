"""Say how few traces of a new student a model needs: vectors fitted to the first k of them, tested on later ones.

If new students are too few, every row says so.
"""
