"""What a home remembers: an audit trail that shows when it was touched, and what clinicians say of reports."""
