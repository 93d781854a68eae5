"""The only home of the queue: it rings a bell for rows that SQL has long accepted."""
