"""What the searching strategies share: the plans in hand for a graph, and the stages that add to them."""
