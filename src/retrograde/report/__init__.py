"""What a person looks at: terminal tables, timelines, trade-off curves, self-contained pages."""
