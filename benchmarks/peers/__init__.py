"""Other tools for the same job, each called as its authors say, in a process and a home of its own."""
