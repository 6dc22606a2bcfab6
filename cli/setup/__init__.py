"""`timokha setup`: what the brokers must hold before the product runs."""
