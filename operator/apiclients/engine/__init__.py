"""What is known, what it concerns, and how it converges: the same for operator, gate, plan and plugin. Pure, no IO."""
