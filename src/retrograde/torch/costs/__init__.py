"""What operations cost: measured on the device, or estimated."""
