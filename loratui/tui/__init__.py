"""The bench in a terminal: an app, its screens, widgets and dialogs. It shows what lab knows and starts workers."""
