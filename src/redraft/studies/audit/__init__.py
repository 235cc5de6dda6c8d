"""Are some students or titles known less well than the rest?"""
