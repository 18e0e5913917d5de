"""Published libraries made ready to be measured beside whydx, on the same cases in the same run."""
