"""What looks at answers after they were given: windows of drift, and the capture for retraining."""
