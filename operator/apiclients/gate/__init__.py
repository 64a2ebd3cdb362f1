"""The token gate: it issues access tokens and answers, from memory, whether one is good right now."""
