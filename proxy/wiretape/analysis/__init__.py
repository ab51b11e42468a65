"""What the bytes mean: chunks to events to transcripts. Pure, like core."""
