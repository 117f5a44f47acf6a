"""What the three programs share: settings, log lines, DNS questions, a server that stops fast."""
