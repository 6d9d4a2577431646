"""What several notebooks use: data, cells, training, metrics, plotting and claims."""
