"""The arithmetic: plain loops in binary32, one module for each of the C files in `nnlite/runtime`.

Same names (C adds the prefix `nn_`), same arguments in the same order (C adds sizes), same equation
numbers above the same loops. Every sum has one written order, so that laptop and chip compute the same bits;
docs/NUMERICS.md has each expression. Equation numbers are those of math-for-dnn.
"""
