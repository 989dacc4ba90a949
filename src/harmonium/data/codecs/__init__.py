"""Codecs: one per column of a table, from the values in a DataFrame to categories and back.

A model of tables sees categorical variables alone.  A codec says which state a value belongs to, how probable the value
is within its state, and how values are drawn again, so that likelihoods are those of the values in the frame.
"""
