"""The hub of retrograde's own differentiation: primitives, how they are applied, and programs made of them."""
