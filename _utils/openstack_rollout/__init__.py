"""What the update engine knows beside Salt's loader: releases, windows, journal, engine."""
