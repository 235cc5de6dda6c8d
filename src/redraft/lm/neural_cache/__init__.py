"""A neural cache: what a student wrote before, mixed into what a model says they write next. Nothing is trained.

Grave, Joulin and Usunier, 'Improving neural language models with a continuous cache' (2017). The keys are the model's
last hidden states over the student's earlier programs, the values are the ids that came next there.

    mixture  the mixture of a model's distribution and a cache's
    work     what a student wrote, as a model sees it, and what of it came before another trace
    fit      the mixture's few numbers, fitted to validation traces
    store    a folder with a file per student; to forget one is to delete a file
"""
