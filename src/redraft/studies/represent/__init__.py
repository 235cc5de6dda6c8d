"""The representations study: what do the models make of traces (paper appendix I, figure 10)?

In: a run's folder with models. Out: `results/represent.parquet` (and CSV) and `points-represent-steps.parquet`: how
alike the models' layers are on the same beginnings of traces; in how many directions steps from state to state go, and
whether the first two tell kinds of edit; the same for states read without their past. Controls: rows permuted, labels
permuted, an untrained model.
"""
