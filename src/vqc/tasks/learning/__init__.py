"""What tasks that train networks of their own share: backbone, epochs, batches, weights."""
