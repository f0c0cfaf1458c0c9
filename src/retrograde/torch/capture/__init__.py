"""The joint graph of a module: traced as eager runs, read, and described as a ``Graph``."""
