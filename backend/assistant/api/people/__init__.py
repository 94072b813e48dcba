"""Routes about accounts: signing in, one's own, those of others, what admins did."""
