"""Records in, statistics and pages out."""
