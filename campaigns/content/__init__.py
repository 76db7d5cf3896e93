"""What messages say, from blocks to mails: docs/templates.md."""
