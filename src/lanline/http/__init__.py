"""Layer 4, beside link: HTTP/1.1 for browsers and their like, over the listeners of layer 3. aiohttp parses (0087)."""
