"""What `whydx monitor`, `adapt` and `worklist` are worth."""
