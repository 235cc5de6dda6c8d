"""The adaptation study: how few traces does a new student need (paper section 4.4, appendix G, figure 6)?

In: a run's folder with a model of a view. Out: `results/adapt.parquet` (and CSV) and `points-adapt-students.parquet`.
Every student whom the model hasn't met gets a vector fitted to the first k traces, in time; the traces from the 11th on
test it, in bits and, on some of them, by what the model generates. Controls: another new student's k traces of about
the same year, and the mean of all trained vectors. Where students are too few, rows say so instead of a value.
"""
