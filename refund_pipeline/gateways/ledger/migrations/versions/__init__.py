"""One module per revision; `database.HEAD` names the newest."""
