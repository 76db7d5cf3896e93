"""A believable shop to look at: a café with three stores, 400 members and a year of purchases. Not for production."""
