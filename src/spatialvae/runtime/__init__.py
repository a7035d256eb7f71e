"""How a process runs torch: what is compiled, which number format is fast, what memory is kept."""
