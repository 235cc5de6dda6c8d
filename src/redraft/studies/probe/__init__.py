"""Probes: what the models' vectors say of programs to come and of students (paper sections 4.2 and 4.3).

- settings: the design, and what is probed for
- prefixes, vectors: what is asked of which prefix; what the models make of them
- code, code_rows: code probes, from embeddings to predictions to results rows
- habits, students: what students do on average; student probes
- rows, study: the look of a results row; the whole study
"""
