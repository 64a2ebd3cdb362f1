"""What the pages show, kept up to date by watches."""
