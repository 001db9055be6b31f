"""The revisions, oldest first. What one has made is never changed afterwards."""
