"""The Chromium engine: every program in a page of a real browser, with the runtime that students use or with ours.

engine     jobs in, outcomes out; several browsers   page        one browser, one page at a time
report     what a page says went wrong               sourcemap   a compiled line's line in the program
"""
