"""What happens, as it happens: server-sent events from the database, resumed by the id of the last one."""
