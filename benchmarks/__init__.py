"""What the chassis costs, beside the bare libraries, in one run."""
