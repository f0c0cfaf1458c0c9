"""Programs reversed into the programs of their gradients."""
