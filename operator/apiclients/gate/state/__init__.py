"""What the gate knows: pictures of objects, who gets to which Api, proofs of freshness, what was used."""
