"""Everything that trains the networks of `nnlite bench kernels`, each in a process of its own.

`roster` says who there is, `task` what each is given and must be able to do, a module each does it. `worker` runs one
of them in its process, and `process` is the other end of the pipe.
"""
