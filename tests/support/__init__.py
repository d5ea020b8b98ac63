"""What several tests share: makers of records, scripted servers, studies."""
