"""The fast kernels against the plain ones."""
