"""Model files and versions: checked, loaded, swapped, rolled back."""
