"""Recovery and steering (paper section 4.5, appendix J): failing programs, and who can mend them.

settings, problem, running: settings; a failing program and its past; which programs run.
evidence, cases, steering: what a dataset holds; failing programs of held-out students; whose hand goes on.
names, baselines, draws: names meant; what mends without a model; what models make of it.
outcome, style, rank: what an attempt is worth; how near the student it is; which edits come first.
measures, estimates, study: by case; results rows; `redraft recover`.
drafts, suggest, wording: a teacher's programs; `redraft suggest`; what it says.
"""
