"""The boards of boards/, as the host reads them."""
