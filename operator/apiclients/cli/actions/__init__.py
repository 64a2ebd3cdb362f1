"""What changes something: the desired status, holds, rotations, reports."""
