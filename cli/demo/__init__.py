"""The whole product on one machine, with nothing to sign up for: `timokha demo`."""
