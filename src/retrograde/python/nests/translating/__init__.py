"""From the actions of a procedure to loop nests."""
