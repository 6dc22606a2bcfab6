"""What the owner orders in their own chat."""
