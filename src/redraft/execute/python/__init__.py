"""The Python engine: CPython in WebAssembly (Pyodide), in embedded V8, a watched process for each program.

engine     jobs in, outcomes out                     worker   a process of the pool, which has programs run
nursery    the process with Python loaded: its copies, and how they end; a program's checks in a copy of their own
talk       what a copy does, and what is said to it      bundle   what is loaded
inside/    what runs in the sandbox's Python         runtime/ Pyodide made to run in bare V8 (built, and shipped built)

The pool, the walls and V8 itself are those of `redraft.execute.v8`.
"""
