"""How a cell becomes a row: files, matrices, labels, encodings and variable genes.

Everything between the file and the label is a function of one row, so the unit of work is a block of rows.
"""
