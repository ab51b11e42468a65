"""The proxy on aiohttp: everything that touches sockets and the clock."""
