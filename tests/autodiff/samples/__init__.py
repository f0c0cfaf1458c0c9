"""Sample inputs for every primitive, a file for each family. A file is found by itself."""
