"""What a change would do, and how to make it in Git; nothing is changed."""
