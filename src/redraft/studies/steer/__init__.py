"""Study how far students' vectors steer what a run's model writes: comments, colours, speed, going back and others.

The students who do most and least of something, by their training traces, and the unknown student write on the same
titles. The programs run in the sandbox.
"""
