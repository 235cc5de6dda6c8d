"""The steering study: does a student's vector hand a model the student's ways on any title (paper appendix J)?

In: a run's folder with a model. Out: `results/steer.parquet` (and CSV). The vectors of the training students who do
most and least of something draw programs on the same titles; what they differ in is how far the vectors steer.
"""
