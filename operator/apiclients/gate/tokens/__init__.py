"""Access tokens: signing, verifying, accepting, issuing, introspecting. No HTTP."""
