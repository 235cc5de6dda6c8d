"""The V8 engine: programs in embedded V8, a watched process for each, with our own headless runtime in virtual time.

pooled     what engines with a pool share            pool     worker processes, watched and replaced
engine     jobs in, outcomes out                     working  how every worker begins, answers and ends
worker     compiles, and has programs run            zygote   the process that is copied for each
copies     the copies: their limits, and how they end
isolate    V8 through its C interface                usage    memory and processor time of a process
sealing    what processes that see programs give up     seccomp, landlock, linux    the kernel's part of it
isolation  what of that stands, in words
bundle     the runtime's JavaScript (runtime/), built with Node and shipped built
"""
