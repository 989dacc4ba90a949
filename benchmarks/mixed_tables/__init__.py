"""A contest of generators of tables: sets, generators, scores."""
