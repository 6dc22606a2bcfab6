"""`timokha demo`: run the whole product on one machine, without any account."""
