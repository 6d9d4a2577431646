"""What several notebooks use: data, tasks, cells, training, metrics, costs, plotting and claims."""

import sys

if "google.colab" in sys.modules:  # not our environment: fill its gaps before they are met
    from helpers import launch

    launch.install_missing()
