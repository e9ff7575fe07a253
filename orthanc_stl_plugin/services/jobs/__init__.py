"""The job queue, worker processes and task folders."""
