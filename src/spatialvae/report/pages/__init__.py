"""The pages of a report: Markdown and HTML, and the sentences that they share."""
