"""The page of a table model: one HTML file that shows what the model says of the table."""
