"""What a home remembers of its runs: an audit trail that shows when it was touched, and what clinicians said of reports."""
