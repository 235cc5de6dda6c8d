"""What several studies need: the run's folder, claims and verdicts, corrected p values, kept work."""
