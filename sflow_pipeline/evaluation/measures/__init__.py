"""What is measured on pictures, and the scores that follow; one module per measure."""
