"""What several notebooks use: data, tasks, cells, training, metrics, costs, plotting and claims."""
