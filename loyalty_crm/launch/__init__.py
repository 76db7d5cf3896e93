"""What stands behind ./crm: the embedded servers, the processes of a run, and the checks of a test."""
